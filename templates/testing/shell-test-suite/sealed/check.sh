# sh /sealed/check.sh WHAT [FUNCTION]
set -u
LC_ALL=C; export LC_ALL
judged=/sealed/lib/judged
path='/tmp/lib dir/text.sh'
least=$(cat /sealed/least)

fail() { echo "$1"; exit 1; }

# suite WHAT [ARGUMENT]: runs the suite in a sandbox that remembers no run before; sets code, passed, failed and count
suite() {
    what=$1
    shift
    $judged run --timeout 15 -- sh tests/run.sh "$@" > /tmp/out 2> /tmp/err
    code=$?
    if [ $code -eq 125 ]; then cat /tmp/err; exit 70; fi
    last=$(tail -n 1 /tmp/out)
    printf '%s\n' "$last" | grep -qxE '[0-9]{1,6} passed, [0-9]{1,6} failed' ||
        fail "the suite on $what: expected a last line 'N passed, M failed', found '$last' and exit code $code"
    passed=${last%% *} failed=${last#*, } failed=${failed%% *}
    count=$((passed + failed))
    [ $count -ge "$least" ] || fail "the suite on $what: expected at least $least tests, found $count"
}

# fresh LIBRARY: lays the workspace anew, with a library beside it
fresh() {
    $judged reset || exit 70
    $judged write "$path" < "$1" || exit 70
}

accepts() {
    suite "$@"
    [ $code -eq 0 ] && [ "$failed" -eq 0 ] || fail "the suite on $1: expected exit code 0 and no test that fails, found exit code $code and '$last'"
}

# notices TOTAL WHAT [ARGUMENT]
notices() {
    total=$1
    shift
    suite "$@"
    [ $code -eq 1 ] && [ "$failed" -gt 0 ] || fail "the suite on $1: expected exit code 1 and a test that fails, found exit code $code and '$last'"
    [ $count -eq "$total" ] || fail "the suite on $1: expected $total tests as with the right library, found $count"
}

listed() { $judged list . | sort; }

# another right library: the given one with other names and without its blank lines
renamed() {
    sed -e '/^$/d' -e '/^#/d' -e 's/_sep/_glue/g' -e 's/_out/_line/g' -e 's/_s\([^a-z]\)/_word\1/g' -e 's/_c\([^a-z]\)/_fill\1/g' \
        -e 's/_n\([^a-z]\)/_count\1/g' -e 's/_i\([^a-z]\)/_piece\1/g' /sealed/right/given.sh
}

case $1 in
    given)
        fresh /sealed/right/given.sh
        accepts "a copy of the given library" "$path"
        before=$(listed)
        accepts "lib/text.sh, without an argument"
        accepts "lib/text.sh, as a relative path" ./lib/text.sh
        [ "$(listed)" = "$before" ] || fail "files of the project: expected the same before and after, found others"
        $judged write lib/text.sh < /sealed/empty.sh
        notices "$count" "an empty lib/text.sh, without an argument"
        ;;
    others)
        renamed > /tmp/renamed.sh
        fresh /tmp/renamed.sh
        accepts "the given library with other names" "$path"
        fresh /sealed/right/other.sh
        accepts "a right library that is written otherwise" "$path"
        # to accept everything is no merit
        fresh /sealed/empty.sh
        notices "$count" "a library without functions" "$path"
        ;;
    missing)
        fresh /sealed/right/other.sh
        accepts "a right library" "$path"
        fresh /sealed/empty.sh
        notices "$count" "a library without functions" "$path"
        ;;
    broken)
        # noticing counts only for a suite that accepts what is right
        fresh /sealed/right/other.sh
        accepts "a right library that is written otherwise" "$path"
        right=$count
        for variant in 0 1; do
            cmp -s "/sealed/broken/$2-$variant.sh" /sealed/right/other.sh && exit 9
            fresh "/sealed/broken/$2-$variant.sh"
            notices "$right" "a library with one broken function ($3)" "$path"
        done
        ;;
    *) exit 2 ;;
esac
