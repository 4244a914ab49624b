# NOTES.md: what is new, one section for each file of changes/.
{
    printf '# %s %s (%s)\n' "$NAME" "$VERSION" "$(date -u -d "@$EPOCH" +%Y-%m-%d)"
    ls changes | grep '\.md$' | LC_ALL=C sort | while IFS= read -r file; do
        title=$(head -n 1 "changes/$file")
        printf '\n%s\n' "$title"
        printf '%s\n' "$title" | LC_ALL=C.UTF-8 sed 's/./-/g'
        tail -n +2 "changes/$file"
    done
} > "$OUT/NOTES.md"
