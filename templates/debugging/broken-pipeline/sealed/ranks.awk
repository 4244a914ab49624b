# accepted lines -> DIR/totals.csv, DIR/top.csv; selection, no sorting
BEGIN { FS = ";" }
{ s[$1] = 1; it[$2] = 1; t[$1, $2] += $3; has[$1, $2] = 1; all[$2] += $3 }
function before(a, b) { return (a "") < (b "") }
END {
  while (1) {
    m = ""; for (x in s) if (!(x in ds) && (m == "" || before(x, m))) m = x
    if (m == "") break
    ds[m] = 1
    for (y in di) delete di[y]
    while (1) {
      n = ""; for (y in it) if (!(y in di) && (n == "" || before(y, n))) n = y
      if (n == "") break
      di[n] = 1
      if ((m, n) in has) print m ";" n ";" t[m, n] > (dir "/totals.csv")
    }
  }
  for (r = 1; r <= top; r++) {
    b = ""; for (y in all) if (!(y in used) && (b == "" || all[y] > all[b] || (all[y] == all[b] && before(y, b)))) b = y
    if (b == "") break
    used[b] = 1; print b ";" all[b] > (dir "/top.csv")
  }
}
