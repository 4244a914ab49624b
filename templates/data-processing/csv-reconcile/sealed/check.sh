# sh /sealed/check.sh part FIELDS     fields of the submitted reconciliation, in any order of lines
# sh /sealed/check.sh again           what the submitted script makes of the given exports
# sh /sealed/check.sh next FILE       what it makes of other exports
set -u
LC_ALL=C; export LC_ALL
judged=/sealed/lib/judged

# differ WHAT: says how /tmp/found is not /tmp/expected, and fails
differ() {
    echo "$1: expected $(wc -l < /tmp/expected) lines, found $(wc -l < /tmp/found)"
    echo "  first line (<) that is expected, or (>) found instead:"
    diff /tmp/expected /tmp/found | grep '^[<>]' | head -n 4
    exit 1
}

part() {
    left=/sealed/submission/out/reconciliation.csv
    if [ ! -f $left ]; then echo "expected: the file out/reconciliation.csv; found: none"; exit 1; fi
    cut -d , -f "$1" /sealed/expected/reconciliation.csv | sort > /tmp/expected
    cut -d , -f "$1" $left | tr -d '\r' | sort > /tmp/found
    cmp -s /tmp/expected /tmp/found || differ "fields $1 of out/reconciliation.csv"
}

script() {
    exports=$1 expected=$2
    shift 2
    $judged run -- rm -rf /tmp/in /tmp/made
    $judged write /tmp/in/ledger.csv < "$exports/ledger.csv" && $judged write /tmp/in/bank.csv < "$exports/bank.csv" || exit 70
    $judged run -- sh bin/reconcile.sh /tmp/in/ledger.csv /tmp/in/bank.csv /tmp/made > /tmp/said 2>&1
    code=$?
    if [ $code -ne 0 ]; then
        echo "sh bin/reconcile.sh LEDGER BANK OUTDIR: expected exit code 0, found $code: $(tail -n 3 /tmp/said)"
        exit 1
    fi
    for name in ledger.csv bank.csv; do
        $judged read /tmp/in/$name > /tmp/found || exit 1
        cmp -s "$exports/$name" /tmp/found || { echo "the script leaves its inputs alone: expected the same $name, found another"; exit 1; }
    done
    for name in "$@"; do
        $judged read "/tmp/made/$name" > /tmp/found || { echo "expected: a file $name in OUTDIR; found: none"; exit 1; }
        cp "$expected/$name" /tmp/expected
        cmp -s /tmp/expected /tmp/found || differ "$name that the script wrote"
    done
}

case $1 in
    part) part "$2" ;;
    again) script /sealed/given /sealed/expected reconciliation.csv summary.txt ;;
    next) script /sealed/next /sealed/next "$2" ;;
    *) exit 2 ;;
esac
