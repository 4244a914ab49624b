# Titles of the chapters, numbered. Usage: sh tools/index.sh FILE...
n=0
for file in "$@"; do
    n=$((n + 1))
    printf '%s %s\n' "$n." "$(sed -n '1s/^# //p' "$file")"
done
