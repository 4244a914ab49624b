# Cards: what happened. Each of them is checked as a whole before it changes anything.

# Whether a text is a code or a place: capital letters and digits.
is_code() {
    case $1 in
    '' | *[!A-Z0-9]*) return 1 ;;
    esac
    return 0
}

# Checks the date of a card: it is one, and not before that of an earlier card.
check_date() {
    if ! split_date "$2"; then
        fault "$1" 'bad date'
        return 1
    fi
    if [ "$2" -lt "$last_date" ]; then
        fault "$1" 'the date is before that of an earlier card'
        return 1
    fi
}

# Checks the item and the place of a card.
check_item() {
    if ! is_item "$2"; then
        fault "$1" "there is no item $2"
        return 1
    fi
    if ! is_code "$3"; then
        fault "$1" 'bad place'
        return 1
    fi
}

# Checks a quantity: a whole number that is not below the least one. Leaves it in `quantity`.
check_quantity() {
    if ! read_number "$2" || [ "$result" -lt "$3" ]; then
        fault "$1" 'bad quantity'
        return 1
    fi
    quantity=$result
}

# Checks that so much of an item is at a place.
check_stock() {
    stock_at "$2" "$3"
    if [ "$result" -lt "$4" ]; then
        fault "$1" "only $result at $3"
        return 1
    fi
}

# Adds a line to the history of an item: DATE|WORD|PLACE|CHANGE|BALANCE|NOTE.
note_history() {
    get history "$1"
    [ "$result" = 0 ] && result=
    lines=$result
    get total "$1"
    put history "$1" "$lines$2|$3|$4|$5|$result|$6
"
}

# A receipt: so many pieces at a price each.
receive() {
    check_quantity "$1" "$5" 1 || return 0
    if ! read_amount "$6"; then
        fault "$1" 'bad price'
        return 0
    fi
    price=$result
    push_layer "$3" "$quantity" "$price"
    put price "$3" "$price"
    change_stock "$3" "$4" "$quantity"
    get received "$3"
    [ "$result" = 0 ] && put received "$3" "$2"
    note_history "$3" "$2" receipt "$4" "+$quantity" "$7"
}

# An issue: pieces go out, the oldest ones first.
issue() {
    check_quantity "$1" "$5" 1 || return 0
    check_stock "$1" "$3" "$4" "$quantity" || return 0
    take_layers "$3" "$quantity"
    add_to issued_cost "$3" "$result"
    add_to issued "$3" "$quantity"
    change_stock "$3" "$4" "-$quantity"
    put last_issue "$3" "$2"
    note_history "$3" "$2" issue "$4" "-$quantity" "$6"
}

# A move from one place to another one.
move() {
    if ! is_code "$5"; then
        fault "$1" 'bad place'
        return 0
    fi
    if [ "$4" = "$5" ]; then
        fault "$1" 'both places are the same'
        return 0
    fi
    check_quantity "$1" "$6" 1 || return 0
    check_stock "$1" "$3" "$4" "$quantity" || return 0
    change_stock "$3" "$4" "-$quantity"
    change_stock "$3" "$5" "$quantity"
    note_history "$3" "$2" move "$4>$5" "$quantity" "$7"
}

# A count: how many pieces were found at a place. What is missing is lost; what is too much is worth the last price.
count() {
    check_quantity "$1" "$5" 0 || return 0
    stock_at "$3" "$4"
    change=$((quantity - result))
    if [ "$change" -lt 0 ]; then
        take_layers "$3" $((-change))
        add_to lost_cost "$3" "$result"
        add_to lost "$3" $((-change))
    elif [ "$change" -gt 0 ]; then
        get price "$3"
        push_layer "$3" "$change" "$result"
        add_to found "$3" "$change"
        change=+$change
    fi
    change_stock "$3" "$4" "$change"
    note_history "$3" "$2" count "$4" "$change" "$6"
}

# A card with a date: line, kind, date, code, place, other place, quantity, price, note.
dated_card() {
    check_date "$1" "$3" || return 0
    [ "$3" -le "$until" ] || return 0
    last_date=$3
    check_item "$1" "$4" "$5" || return 0
    case $2 in
    R) receive "$1" "$3" "$4" "$5" "$7" "$8" "$9" ;;
    S) issue "$1" "$3" "$4" "$5" "$7" "$9" ;;
    M) move "$1" "$3" "$4" "$5" "$6" "$7" "$9" ;;
    C) count "$1" "$3" "$4" "$5" "$7" "$9" ;;
    esac
}

# Reads all cards.
read_cards() {
    cards=$(awk -f "$root/awk/fields.awk")
    while IFS='|' read -r line kind one two three four five six seven; do
        case $kind in
        '') ;;
        I) add_item "$line" "$one" "$two" "$three" "$four" ;;
        R | S | M | C) dated_card "$line" "$kind" "$one" "$two" "$three" "$four" "$five" "$six" "$seven" ;;
        *) fault "$line" "unknown kind $kind" ;;
        esac
    done <<END
$cards
END
}
