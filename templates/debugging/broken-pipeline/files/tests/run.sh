# runs every tests/case-*/in through the report and compares with tests/case-*/out
cd "$(dirname "$0")/.." || exit 1
bad=0
for c in tests/case-*; do
  t=$(mktemp -d)
  sh bin/report.sh "$c/in" "$t/out" > "$t/stdout"
  echo $? > "$t/code"
  for f in totals.csv top.csv rejected.txt; do
    cmp -s "$t/out/$f" "$c/out/$f" || { printf 'FAIL %s %s\n' "$c" "$f"; bad=1; }
  done
  for f in stdout code; do
    cmp -s "$t/$f" "$c/out/$f" || { printf 'FAIL %s %s\n' "$c" "$f"; bad=1; }
  done
  rm -rf "$t"
done
[ "$bad" -eq 0 ] && echo 'all tests passed'
exit "$bad"
