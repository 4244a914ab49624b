# sh /sealed/check.sh WHAT: parts of the files that the agent left, against /sealed/expected.
set -eu
LC_ALL=C; export LC_ALL

# part NAME FILE COMMAND: the output of COMMAND on the agent's FILE is that on the expected one
part() {
    if [ ! -f "/sealed/submission/out/$2" ]; then
        echo "expected: the file out/$2; found: none"
        exit 1
    fi
    sh -c "$3" < "/sealed/expected/$2" > /tmp/expected
    sh -c "$3" < "/sealed/submission/out/$2" > /tmp/found
    if ! cmp -s /tmp/expected /tmp/found; then
        printf '%s of out/%s: expected %s lines, found %s\n' "$1" "$2" "$(wc -l < /tmp/expected)" "$(wc -l < /tmp/found)"
        echo "  expected, and not found: $(comm -23 /tmp/expected /tmp/found | head -n 1)"
        echo "  found, and not expected: $(comm -13 /tmp/expected /tmp/found | head -n 1)"
        exit 1
    fi
}

case $1 in
    names) part 'the names' hosts 'cut -f 2 | sort -u' ;;
    addresses) part 'the addresses in use' hosts 'cut -f 1 | sort -u' ;;
    choices) part 'the pairs of address and name' hosts 'sort' ;;
    disputed) part 'the names' conflicts.tsv 'cut -f 1 | sort -u' ;;
    *) exit 2 ;;
esac
