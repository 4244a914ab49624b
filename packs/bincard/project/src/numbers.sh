# Whole numbers and amounts of money. A function leaves what it finds in `result`.

# Whether a text is nothing but digits.
is_digits() {
    case $1 in
    '' | *[!0-9]*) return 1 ;;
    esac
    return 0
}

# Reads digits as a number; zeros in front do not count.
read_number() {
    is_digits "$1" || return 1
    result=$1
    while [ "${#result}" -gt 1 ]; do
        case $result in
        0*) result=${result#0} ;;
        *) break ;;
        esac
    done
    [ "${#result}" -le 9 ]
}

# Reads an amount such as `12`, `12.5` or `12.50` as hundredths.
read_amount() {
    whole=${1%%.*}
    part=00
    case $1 in
    *.*)
        part=${1#*.}
        [ "${#part}" -eq 1 ] && part=${part}0
        [ "${#part}" -eq 2 ] || return 1
        ;;
    esac
    read_number "$part" || return 1
    part=$result
    read_number "$whole" || return 1
    result=$((result * 100 + part))
}

# Writes hundredths as an amount with two decimals.
show_amount() {
    rest=$(($1 % 100))
    if [ "$rest" -lt 10 ]; then
        rest=0$rest
    fi
    result=$(($1 / 100)).$rest
}

# Divides and rounds to the nearest whole number, a half up. Nothing divided by nothing is nothing.
divide_round() {
    result=0
    if [ "$2" -gt 0 ]; then
        result=$((($1 + $2 / 2) / $2))
    fi
}

# Divides and rounds up.
divide_up() {
    result=$((($1 + $2 - 1) / $2))
}

# The smaller of two numbers.
smaller_of() {
    result=$1
    if [ "$2" -lt "$1" ]; then
        result=$2
    fi
}
