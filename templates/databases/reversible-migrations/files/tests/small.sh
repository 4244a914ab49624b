# One path through all versions. It says nothing about rows.
set -e
db=$(mktemp)
for version in 1 2 3 4 5 6 5 4 3 2 1 0; do
    python3 -B migrate.py "$db" $version
done
rm "$db"
