# FILE:LINE;store;item;qty -> "ok store;item;qty" or "bad FILE:LINE: text"
# exits with the variable code if there was a bad line
BEGIN { FS = ";" }
{
  text = substr($0, length($1) + 2)
  if (NF == 4 && $4 ~ /^[0-9]+$/) print "ok " text
  else { print "bad " $1 ": " text; bad = 1 }
}
END { exit bad ? code : 0 }
