# symbols: all functions of the modules.
cd "$STAGE/tree"
find src -name '*.py' -path 'src/*' ! -path 'src/*/*' -exec grep -H '^def ' {} + |
    sed 's/^\([^:]*\):def \([^(]*\)(.*/\1:\2/' |
    LC_ALL=C sort > "$OUT/symbols"
