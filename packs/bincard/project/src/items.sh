# Items.

# Whether a text is the code of an item.
is_item() {
    is_code "$1" && has_word "$items" "$1"
}

# An item: line, code, name, least stock, lot. The last two may be missing.
add_item() {
    if ! is_code "$2"; then
        fault "$1" 'bad code'
        return 0
    fi
    if has_word "$items" "$2"; then
        fault "$1" "$2 is there already"
        return 0
    fi
    if [ -z "$3" ]; then
        fault "$1" 'the name is missing'
        return 0
    fi
    if ! read_number "${4:-0}"; then
        fault "$1" 'bad least stock'
        return 0
    fi
    least=$result
    if ! read_number "${5:-1}" || [ "$result" -eq 0 ]; then
        fault "$1" 'bad lot'
        return 0
    fi
    put lot "$2" "$result"
    put least "$2" "$least"
    put name "$2" "$3"
    items="${items:+$items }$2"
}

# How much of an item is to be ordered: whole lots, until the least stock is there. 0 if it is.
order_quantity() {
    get total "$1"
    have=$result
    get least "$1"
    missing=$((result - have))
    result=0
    [ "$missing" -gt 0 ] || return 0
    get lot "$1"
    lot=$result
    divide_up "$missing" "$lot"
    result=$((result * lot))
}

# The date of the last issue of an item, or of the first receipt if there is none. 0 if there is neither.
last_use() {
    get last_issue "$1"
    [ "$result" = 0 ] || return 0
    get received "$1"
}

# The items by what they are worth, the largest first; others in their order.
items_by_value() {
    ranked=
    for item in $items; do
        layers_value "$item"
        value=$result
        put value "$item" "$value"
        before=
        behind=
        for other in $ranked; do
            get value "$other"
            if [ "$result" -ge "$value" ]; then
                before="$before $other"
            else
                behind="$behind $other"
            fi
        done
        ranked="$before $item$behind"
    done
    result=${ranked# }
}

# The class of an item by the share of all value, in thousandths, that is in items before it.
class_of() {
    result=C
    if [ "$1" -lt 800 ]; then
        result=A
    elif [ "$1" -lt 950 ]; then
        result=B
    fi
}
