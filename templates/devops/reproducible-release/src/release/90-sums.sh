# SUMS: the sums of everything else.
cd "$OUT"
printf '%s\n' "$NAME-$VERSION.tar.gz" "$NAME-docs.zip" "$NAME.bundle" "$NAME.messages" NOTES.md index.json symbols |
    LC_ALL=C sort | while IFS= read -r file; do sha256sum "$file"; done > SUMS
