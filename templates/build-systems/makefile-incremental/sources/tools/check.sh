# Every chapter must begin with a title. Usage: sh tools/check.sh FILE...
status=0
for file in "$@"; do
    if ! head -n 1 "$file" | grep -q '^# '; then
        echo "$file: no title"
        status=1
    fi
done
exit $status
