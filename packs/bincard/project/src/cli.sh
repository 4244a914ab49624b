# The command line.

usage() {
    cat <<'END'
usage: bincard COMMAND [--until DATE] [ARGUMENT ...] < CARDS
  stock | value | usage | reorder | places | classes | check
  history CODE [DATE DATE] | slow DATE DAYS
END
    exit 2
}

# Ends with a message about the arguments.
refuse() {
    printf 'bincard: %s\n' "$1"
    exit 2
}

# Reads a date of the arguments, which has `-` or not. Leaves it without.
read_date() {
    case $1 in
    ????-??-??)
        rest=${1#?????}
        result=${1%??????}${rest%???}${rest#???}
        ;;
    *) result=$1 ;;
    esac
    date=$result
    split_date "$date" || refuse "bad date $1"
    result=$date
}

# Checks how many arguments a command has, at least and at most.
check_count() {
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || usage
}

# Prints the faults of the cards. The exit code is 1 if there are some.
report_check() {
    printf '%s' "$faults"
    echo "$fault_count faults"
    [ "$fault_count" -eq 0 ]
}

# The history of an item that is there.
run_history() {
    is_item "$1" || refuse "there is no item $1"
    from=00000000
    to=99999999
    if [ $# -eq 3 ]; then
        read_date "$2"
        from=$result
        read_date "$3"
        to=$result
    fi
    report_history "$1" "$from" "$to"
}

run_slow() {
    read_date "$1"
    date=$result
    read_number "$2" || refuse "bad number $2"
    report_slow "$date" "$result"
}

# Runs a command with the arguments that it has.
run_command() {
    case $1 in
    stock) report_stock ;;
    value) report_value ;;
    usage) report_usage ;;
    reorder) report_reorder ;;
    places) report_places ;;
    classes) report_classes ;;
    history)
        shift
        run_history "$@"
        ;;
    slow) run_slow "$2" "$3" ;;
    esac
}

# Checks the command and how many arguments it has.
check_command() {
    case $1 in
    stock | value | usage | reorder | places | classes | check) check_count $# 1 1 ;;
    history)
        check_count $# 2 4
        [ $# -ne 3 ] || usage
        ;;
    slow) check_count $# 3 3 ;;
    *) usage ;;
    esac
}

# Reads the cards and runs a command on them. Faulty cards are told at the end.
main() {
    until=99999999
    command=${1:-}
    [ $# -eq 0 ] || shift
    if [ "${1:-}" = --until ]; then
        [ $# -ge 2 ] || usage
        read_date "$2"
        until=$result
        shift 2
    fi
    check_command "$command" "$@"
    read_cards
    if [ "$command" = check ]; then
        report_check
        return
    fi
    run_command "$command" "$@"
    if [ "$fault_count" -gt 0 ]; then
        echo "$fault_count faulty cards"
        return 1
    fi
}
