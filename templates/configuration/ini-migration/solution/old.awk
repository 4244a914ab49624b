# prints SECTION.KEY<tab>VALUE of the effective old configuration
function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
FNR == 1 { sec = "" }
{
  line = trim($0)
  if (line == "" || line ~ /^[;#]/) next
  if (match(line, /[ \t];/)) line = trim(substr(line, 1, RSTART - 1))
}
line ~ /^\[.*\]$/ { sec = tolower(trim(substr(line, 2, length(line) - 2))); next }
line ~ /^!/ { delete v[sec "." tolower(trim(substr(line, 2)))]; next }
{
  p = index(line, "=")
  if (!p) { print "odd line: " $0 > "/dev/stderr"; next }
  k = substr(line, 1, p - 1); val = trim(substr(line, p + 1)); add = 0
  if (k ~ /\+$/) { add = 1; sub(/\+$/, "", k) }
  k = sec "." tolower(trim(k))
  if (add && (k in v)) v[k] = v[k] "," val
  else v[k] = val
}
END { for (k in v) print k "\t" v[k] }
