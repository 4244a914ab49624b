# check.sh NAME: what cannot be said by comparing one file
LC_ALL=C; export LC_ALL
cd /sealed/submission || exit 1
# differ WHAT EXPECTED FOUND: fails in words unless both files are the same
differ() {
  cmp -s "$2" "$3" && return 0
  printf '%s\n  expected:\n' "$1"; head -n 30 "$2"; printf '  found:\n'; head -n 30 "$3"
  exit 1
}
# lines PATTERN: matching lines of both changelogs
lines() {
  [ -f CHANGELOG.md ] || { echo 'CHANGELOG.md is missing'; exit 1; }
  grep "$1" /sealed/CHANGELOG.md > /tmp/want
  grep "$1" CHANGELOG.md > /tmp/have
}
case $1 in
  entries) lines '^- '; sort -o /tmp/want /tmp/want; sort -o /tmp/have /tmp/have; differ 'entries of CHANGELOG.md, sorted' /tmp/want /tmp/have ;;
  headings) lines '^##'; differ 'headings of CHANGELOG.md' /tmp/want /tmp/have ;;
  fragments)
    mkdir -p /tmp/kept/changes && cd /tmp/kept && sh /sealed/drafts.sh && cp /sealed/changes/README.md changes || exit 1
    find changes | sort > /tmp/want
    { cd /sealed/submission && find changes; grep '^changes' /sealed/submission.left-out; } | sort > /tmp/have
    differ 'what changes/ holds' /tmp/want /tmp/have
    cd /tmp/kept && for f in changes/*; do differ "$f" "$f" "/sealed/submission/$f"; done ;;
esac
