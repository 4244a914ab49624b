# helpers shared by the scripts in bin/
# die CODE MESSAGE... - complain on standard error and exit
die() {
  _code=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "$_code"
}
