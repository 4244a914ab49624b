# Copies the sources into $STAGE/tree, with their modes, and lists them in $STAGE/list.
find src docs lang -name __pycache__ -prune -o -type f ! -name '*~' ! -name '*.pyc' -print | LC_ALL=C sort > "$STAGE/list"
while IFS= read -r file; do
    to=$STAGE/tree/$file
    mkdir -p "$(dirname "$to")"
    cat "$file" > "$to"
    if [ -x "$file" ]; then chmod 755 "$to"; else chmod 644 "$to"; fi
done < "$STAGE/list"
