# The library of checks in the shell. Version 2. A check reads it with `. /sealed/lib/checks.sh`.
#
# A check passes if it exits with 0. The files that the agent left are below $S, as plain data: regular
# files and directories only, without settings of git. What is run of them runs in the judged sandbox,
# with $J. If that sandbox fails, the engine makes the run void, whatever the check makes of it.

S=/sealed/submission
J=/sealed/lib/judged
LC_ALL=C; export LC_ALL

# fail LINE...: ends the check as failed, and says why
fail() { printf '%s\n' "$@"; exit 1; }

# left_out PATH: the line of the list of what was left out that is about PATH; 1 if there is none
left_out() {
  while IFS= read -r left_out_line; do
    case $left_out_line in
      "$1 -> "* | "$1: "*) printf '%s\n' "$left_out_line"; return 0 ;;
    esac
  done < /sealed/submission.left-out
  return 1
}

# have PATH: fails in words unless the agent left a regular file there
have() {
  [ ! -f "$S/$1" ] || return 0
  left_out "$1" && fail "  only regular files are judged, and no settings of git"
  fail "$1 is missing, or is no regular file"
}

# differ WHAT EXPECTED FOUND: fails unless both files have the same bytes, and tells the first difference
differ() {
  cmp -s "$2" "$3" && return 0
  echo "$1: not as expected ($(wc -l < "$2") lines expected, $(wc -l < "$3") found)"
  { sed 's/^/e/' "$2"; echo; sed 's/^/f/' "$3"; echo; } | awk '
    /^e/ { want[++n] = substr($0, 2) }
    /^f/ { got[++m] = substr($0, 2) }
    END { for (i = 1; i <= n || i <= m; i++) if (i > n || i > m || want[i] != got[i]) break
          if (i > n && i > m) { print "  they differ in the newline at the end, or in bytes that are no text"; exit }
          printf "  expected: line %d: %s\n", i, (i > n ? "(none)" : substr(want[i], 1, 300))
          printf "  found:    line %d: %s\n", i, (i > m ? "(none)" : substr(got[i], 1, 300)) }'
  exit 1
}

# same PATH EXPECTED: a file that the agent left has the bytes of EXPECTED
same() { have "$1"; differ "$1" "$2" "$S/$1"; }
