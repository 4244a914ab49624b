# Dates, which are written as 20310228.

# Whether a year has 29 days in February.
is_leap() {
    [ $(($1 % 4)) -eq 0 ] || return 1
    [ $(($1 % 100)) -ne 0 ] || [ $(($1 % 400)) -eq 0 ]
}

# How many days a month of a year has.
month_days() {
    result=31
    case $2 in
    4 | 6 | 9 | 11) result=30 ;;
    2)
        result=28
        is_leap "$1" && result=29
        ;;
    esac
    return 0
}

# Cuts a date into year, month and day. Fails if it is none, or not in the years 1900 to 2999.
split_date() {
    is_digits "$1" || return 1
    [ "${#1}" -eq 8 ] || return 1
    year=${1%????}
    [ "$year" -ge 1900 ] && [ "$year" -le 2999 ] || return 1
    rest=${1#????}
    read_number "${rest%??}"
    month=$result
    read_number "${rest#??}"
    day=$result
    [ "$month" -ge 1 ] && [ "$month" -le 12 ] || return 1
    month_days "$year" "$month"
    [ "$day" -ge 1 ] && [ "$day" -le "$result" ]
}

# The number of a date: how many days there were since the first of January of the year 1.
day_number() {
    split_date "$1" || return 1
    past=$((year - 1))
    number=$((past * 365 + past / 4 - past / 100 + past / 400 + day))
    earlier=1
    while [ "$earlier" -lt "$month" ]; do
        month_days "$year" "$earlier"
        number=$((number + result))
        earlier=$((earlier + 1))
    done
    result=$number
}

# Writes a date with `-`.
show_date() {
    rest=${1#????}
    result=${1%????}-${rest%??}-${rest#??}
}

# How many days there are from one date to another one.
days_between() {
    day_number "$1" || return 1
    first=$result
    day_number "$2" || return 1
    result=$((result - first))
}
