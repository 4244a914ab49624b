# The judge's words. The agent's files are in $S, as plain data.
S=/sealed/submission
LC_ALL=C; export LC_ALL

fail() { printf '%s\n' "$@"; exit 1; }

# have PATH: fails in words unless the agent left a regular file there
have() {
  [ ! -f "$S/$1" ] || return 0
  grep -F -e "$1 -> " /sealed/submission.left-out && fail "  is a link; only regular files are judged"
  fail "$1 is missing, or is no regular file"
}

# same PATH EXPECTED: both have the same bytes, or the first difference is told
same() {
  have "$1"
  cmp -s "$2" "$S/$1" && return 0
  echo "$1: not as expected ($(wc -l < "$2") lines expected, $(wc -l < "$S/$1") found)"
  { sed 's/^/e/' "$2"; sed 's/^/f/' "$S/$1"; } | awk '
    /^e/ { want[++n] = substr($0, 2) }
    /^f/ { got[++m] = substr($0, 2) }
    END { for (i = 1; i <= n || i <= m; i++) if (i > n || i > m || want[i] != got[i]) break
          if (i > n && i > m) { print "  they differ in the newline at the end, or in bytes that are no text"; exit }
          printf "  expected: line %d: %s\n", i, (i > n ? "(none)" : want[i])
          printf "  found:    line %d: %s\n", i, (i > m ? "(none)" : substr(got[i], 1, 300)) }'
  exit 1
}
