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

# library BASES [NUMBER VARIANT]: a library that is right, or has one broken function; BASES says which of two right
# texts each function has. The order of the functions and their local names are new each time.
library() {
    shuf -i 0-4 | while read -r n; do
        part=$(printf '%s' "$1" | cut -c $((n + 1)))
        if [ "$n" = "${2-}" ]; then part=broken-$3; fi
        cat "/sealed/parts/$n/$part"
    done | awk -v seed="$(shuf -i 1-1000000000 -n 1)" -f /sealed/rename.awk
}
bases() { for n in 0 1 2 3 4; do shuf -n 1 -e g o; done | tr -d '\n'; }
turned() { printf '%s' "$1" | tr go og; }

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

# the libraries to be tried, one a line: right BASES, missing, or NUMBER VARIANT BASES
trials() {
    one=$(bases) two=$(bases)
    echo missing
    echo "right $one"
    if [ "$1" = checks ]; then printf 'right %s\n' "$(turned "$one")" "$two"; fi
    for n in 0 1 2 3 4; do
        for variant in 0 1; do
            if [ $variant = 0 ] || [ "$1" = checks ]; then echo "$n $variant $(bases)"; fi
        done
    done
}

# try checks|milestones: right and wrong libraries are tried once each, at the same place, in a secret order. For a check,
# each in a fresh sandbox. Noticing counts only for a suite that accepts what is right.
try() {
    given "$1"
    trials "$1" | shuf > /tmp/trials
    while read -r kind one two <&3; do
        if [ -s $wrong/given ]; then break; fi
        case $kind in
            missing) : > /tmp/library ;;
            right) library "$one" > /tmp/library ;;
            *) library "$two" "$kind" "$one" > /tmp/library ;;
        esac
        if [ -s $wrong/right ] && [ "$kind" != right ]; then continue; fi
        if [ "$1" = checks ]; then $judged reset || exit 70; fi
        $judged write "$path" < /tmp/library || exit 70
        case $kind in
            missing) notices missing 'a library without functions' "$path" ;;
            right) accepts right 'a right library that is written otherwise' "$path" ;;
            *) notices "$kind" 'a library with one broken function' "$path" ;;
        esac
    done 3< /tmp/trials
}

mkdir $wrong
try "$1"
verdicts
