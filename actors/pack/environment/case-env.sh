# What the program and its build need around them. run-tests reads it.
LC_ALL=C.UTF-8
TZ=UTC
export LC_ALL TZ
