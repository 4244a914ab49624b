# sh /sealed/check.sh checks|milestones: is anything wrong with the suite? One line for each part: given, right,
# missing, and the number of each function
set -u
LC_ALL=C; export LC_ALL
judged=/sealed/lib/judged
path='/tmp/lib dir/text.sh'
least=$(cat /sealed/least)
wrong=/tmp/wrong
total=

# verdict PART GROUP...: the line of a part, which fails if anything is wrong in one of the groups
verdict() {
    part=$1
    shift
    for group; do
        if [ -s $wrong/$group ]; then
            why=$(sort -u $wrong/$group | sed '$!s/$/;/' | tr '[:cntrl:]' ' ')
            printf '%s\n' "not ok $part: ${why% }"
            return
        fi
    done
    echo "ok $part"
}
verdicts() {
    verdict given given
    verdict right given right
    for part in missing 0 1 2 3 4; do verdict $part given right $part; done
}

# suite [ARGUMENT]: runs the suite; sets code, failed, count and last, and trouble if it does not count as it should
suite() {
    $judged run --timeout 30 -- sh tests/run.sh "$@" > /tmp/out 2> /tmp/err
    code=$? trouble='' failed=0 count=0
    case $code in
        125) cat /tmp/err; exit 70 ;;
        124) echo 'the suite: expected an end within 30 seconds, found none' > $wrong/given; verdicts; exit ;;
    esac
    last=$(tail -n 1 /tmp/out | cut -c 1-200)
    if ! printf '%s\n' "$last" | grep -qxE '(0|[1-9][0-9]{0,5}) passed, (0|[1-9][0-9]{0,5}) failed'; then
        trouble="expected a last line 'N passed, M failed', found '$last' and exit code $code"
        return
    fi
    passed=${last%% *} failed=${last#*, } failed=${failed%% *}
    count=$((passed + failed))
    if [ $count -lt "$least" ]; then
        trouble="expected at least $least tests, found $count"
    elif [ -n "$total" ] && [ $count -ne "$total" ]; then
        trouble="expected $total tests as with the given library, found $count"
    fi
}

# accepts GROUP WHAT [ARGUMENT]; notices GROUP WHAT [ARGUMENT]: what is wrong becomes a line of the group's file
accepts() {
    group=$1 what=$2
    shift 2
    suite "$@"
    if [ -z "$trouble" ] && { [ $code -ne 0 ] || [ "$failed" -ne 0 ]; }; then
        trouble="expected exit code 0 and no test that fails, found exit code $code and '$last'"
    fi
    [ -z "$trouble" ] || printf '%s\n' "the suite on $what: $trouble" >> $wrong/$group
}
notices() {
    group=$1 what=$2
    shift 2
    suite "$@"
    if [ -z "$trouble" ] && { [ $code -ne 1 ] || [ "$failed" -eq 0 ]; }; then
        trouble="expected exit code 1 and a test that fails, found exit code $code and '$last'"
    fi
    [ -z "$trouble" ] || printf '%s\n' "the suite on $what: $trouble" >> $wrong/$group
}

# names TEXTS ARGUMENT: the suite names exactly the functions that are broken; TEXTS has `right` or a variant for each function
names() {
    set -- "$2" $1
    case "$*" in
        *broken*) notices all 'a library with broken functions' "$1" ;;
        *) accepts right 'a right library that is written otherwise' "$1" ;;
    esac
    why=$trouble
    shift
    sed -n 's/^FAIL \([a-z_]*\)\( .*\)*$/\1/p' /tmp/out | sort -u > /tmp/named
    n=0
    while read -r function; do
        expected=right found=right
        case $1 in broken*) expected=broken ;; esac
        if grep -qx "$function" /tmp/named; then found=broken; fi
        if [ -n "$why" ] && [ $expected = broken ]; then
            echo "the suite on a library with broken functions: $why" >> $wrong/$n
        elif [ $expected != $found ]; then
            echo "the suite says of $function in one library: expected: $expected; found: $found" >> $wrong/$n
        fi
        shift
        n=$((n + 1))
    done < /sealed/funcs
}

# given checks|milestones: the library that everybody knows
given() {
    $judged reset && $judged write "$path" < /sealed/given.sh || exit 70
    accepts given "a copy of the given library" "$path"
    total=$count
    [ "$1" = checks ] && [ ! -s $wrong/given ] || return
    before=$($judged list . | sort)
    accepts given "lib/text.sh, without an argument"
    accepts given "lib/text.sh, as a relative path" ./lib/text.sh
    [ "$($judged list . | sort)" = "$before" ] || echo "files of the project: expected the same before and after, found others" >> $wrong/given
    $judged write lib/text.sh < /sealed/empty.sh
    notices given "an empty lib/text.sh, without an argument"
}

# the libraries to be tried, one a line: `missing`, or a text for each function. Each is broken in two ways, in two libraries
# each, and right in the others; which, is drawn for each function by itself. So one that a suite is not sure of has to be
# guessed in six libraries, in each of two runs: by chance that succeeds once in 1,500 times
trials() {
    echo missing
    echo right right right right right
    if [ "$1" = checks ]; then few=3 many=2; else few=1 many=1; fi
    for n in 0 1 2 3 4; do
        for text in right broken-0 broken-1; do
            count=$many
            if [ $text = right ]; then count=$few; fi
            while [ $count -gt 0 ]; do echo $text; count=$((count - 1)); done
        done | shuf > /tmp/texts.$n
    done
    paste -d ' ' /tmp/texts.0 /tmp/texts.1 /tmp/texts.2 /tmp/texts.3 /tmp/texts.4
}

# try checks|milestones: libraries are tried once each, at the same place, in a secret order. For a check, each in a fresh
# sandbox. Noticing counts only for a suite that accepts what is right.
try() {
    given "$1"
    trials "$1" | shuf > /tmp/trials
    shuf -i 1-1000000000 -n 20 > /tmp/seeds
    paste -d ' ' /tmp/seeds /tmp/trials | awk 'NF == 6 { $1 = $1 " /tmp/library." NR; print }' | awk -f /sealed/libraries.awk || exit 70
    at=0
    while read -r texts <&3; do
        if [ -s $wrong/given ] || [ -s $wrong/right ]; then break; fi
        at=$((at + 1))
        if [ "$1" = checks ]; then $judged reset || exit 70; fi
        if [ "$texts" = missing ]; then
            $judged write "$path" < /sealed/empty.sh || exit 70
            notices missing 'a library without functions' "$path"
        else
            $judged write "$path" < /tmp/library.$at || exit 70
            names "$texts" "$path"
        fi
    done 3< /tmp/trials
}

mkdir $wrong
try "$1"
verdicts
