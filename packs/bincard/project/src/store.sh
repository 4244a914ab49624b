# What is known of items and places. All of it is in variables: PROPERTY_CODE and stock_CODE_PLACE.

items=
places=
faults=
fault_count=0
last_date=00000000

# Sets a property of an item. The codes were checked before, so they are names.
put() {
    eval "$1_$2=\$3"
}

# Leaves a property of an item in `result`; 0 if it was never set.
get() {
    eval "result=\${$1_$2:-0}"
}

# Adds to a number that is a property.
add_to() {
    get "$1" "$2"
    put "$1" "$2" $((result + $3))
}

# Whether a word is in a list of words.
has_word() {
    case " $1 " in
    *" $2 "*) return 0 ;;
    esac
    return 1
}

# Adds a place to the known ones, which are in the order of their names.
know_place() {
    has_word "$places" "$1" && return 0
    sorted=
    is_put=no
    for place in $places; do
        if [ "$is_put" = no ] && [ "$place" \> "$1" ]; then
            sorted="$sorted $1"
            is_put=yes
        fi
        sorted="$sorted $place"
    done
    [ "$is_put" = yes ] || sorted="$sorted $1"
    places=${sorted# }
}

# Leaves how much of an item is at a place in `result`.
stock_at() {
    get stock "$1_$2"
}

# Changes how much of an item is at a place, and in all.
change_stock() {
    know_place "$2"
    add_to stock "$1_$2" "$3"
    add_to total "$1" "$3"
}

# Notes a fault of a card. The card does nothing else.
fault() {
    faults="${faults}line $1: $2
"
    fault_count=$((fault_count + 1))
}
