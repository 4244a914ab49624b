# The script must print the sum. It runs in the judged sandbox, which has none of the sealed files.
found=$(/sealed/lib/judged run -- sh total.sh)
expected=$(cat /sealed/total.txt)
if [ "$found" != "$expected" ]; then
  echo "sh total.sh: expected $expected, found $found"
  exit 1
fi
