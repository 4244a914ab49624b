# prints: name, minutes, whether it is on, what it needs (separated by blanks)
for file in jobs/*.job; do
  name=${file##*/}
  sed -e 's/#.*//' -e 's/=/:/' "$file" | awk -F: -v name="${name%.job}" '
    { key = tolower($1); gsub(/[ \t]/, "", key); gsub(/[, \t]+/, " ", $2) }
    key == "minutes" { minutes = $2 + 0 }
    key == "needs" { needs = needs " " $2 }
    key == "enabled" { on = $2; gsub(/ /, "", on) }
    END { gsub(/ +/, " ", needs); sub(/^ /, "", needs); sub(/ $/, "", needs)
          print name "\t" minutes "\t" (on == "no" ? "off" : "on") "\t" needs }'
done
