# Plays moves as an agent of synthd makes them: each command in a shell of its own, which begins in the
# directory and with the variables that the last one has left. What a command ends with does not matter;
# an edit that does not apply ends everything.
MOVES=$(cd "$(dirname "$0")" && pwd)/moves
SESSION=$(mktemp -d) || exit 1
trap 'rm -rf "$SESSION"' EXIT
export HOME=/home/agent USER=agent LOGNAME=agent LANG=C.UTF-8 TZ=UTC
printf '%s' /work > "$SESSION/directory"
: > "$SESSION/variables"
shell=/bin/sh
if [ -x /bin/bash ]; then shell=/bin/bash; fi

# run FILE: a command
run() {
  "$shell" -c '. "$1/variables"
    cd "$(cat "$1/directory")" || exit 1
    trap "pwd -P > \"$1/directory\"; export -p > \"$1/variables\"" EXIT
    move=$2
    set --
    . "$move"' run "$SESSION" "$MOVES/$1" < /dev/null
}

# edit PATH SEARCH REPLACE: the text of one file takes the place of that of another one, which must be
# there exactly once
edit() {
  (cd /work && python3 -I -B -c 'import sys
path, old, new = sys.argv[1], *(open(name, "rb").read() for name in sys.argv[2:])
text = open(path, "rb").read()
if text.count(old) != 1:
    sys.exit("%s has the text %d times" % (path, text.count(old)))
open(path, "wb").write(text.replace(old, new))' "$1" "$MOVES/$2" "$MOVES/$3") || exit 1
}

# put PATH FILE: a whole file
put() {
  (cd /work && mkdir -p -- "$(dirname -- "$1")" && cat "$MOVES/$2" > "$1") || exit 1
}
