# Reports. Each prints a table with a head.

# How much there is of each item, place by place.
report_stock() {
    printf '%-8s %-5s %9s\n' code place quantity
    for item in $items; do
        for place in $places; do
            stock_at "$item" "$place"
            [ "$result" -eq 0 ] || printf '%-8s %-5s %9d\n' "$item" "$place" "$result"
        done
        get total "$item"
        printf '%-8s %-5s %9d\n' "$item" all "$result"
    done
}

# What the stock is worth.
report_value() {
    sum=0
    printf '%-8s %-20s %9s %12s %10s\n' code name quantity value mean
    for item in $items; do
        layers_value "$item"
        value=$result
        sum=$((sum + value))
        get total "$item"
        quantity=$result
        divide_round "$value" "$quantity"
        show_amount "$result"
        mean=$result
        show_amount "$value"
        value=$result
        get name "$item"
        printf '%-8s %-20s %9d %12s %10s\n' "$item" "$result" "$quantity" "$value" "$mean"
    done
    show_amount "$sum"
    printf '%-8s %-20s %9s %12s\n' all '' '' "$result"
}

# What went out, was lost and was found.
report_usage() {
    printf '%-8s %9s %12s %9s %12s %9s\n' code issued cost lost cost found
    for item in $items; do
        get issued_cost "$item"
        show_amount "$result"
        issued_cost=$result
        get lost_cost "$item"
        show_amount "$result"
        lost_cost=$result
        get issued "$item"
        issued=$result
        get lost "$item"
        lost=$result
        get found "$item"
        printf '%-8s %9d %12s %9d %12s %9d\n' "$item" "$issued" "$issued_cost" "$lost" "$lost_cost" "$result"
    done
}

# What is to be ordered.
report_reorder() {
    lines=0
    printf '%-8s %9s %9s %9s\n' code have least order
    for item in $items; do
        order_quantity "$item"
        [ "$result" -gt 0 ] || continue
        order=$result
        get least "$item"
        least=$result
        get total "$item"
        printf '%-8s %9d %9d %9d\n' "$item" "$result" "$least" "$order"
        lines=$((lines + 1))
    done
    echo "$lines to order"
}

# The history of an item from one date to another one.
report_history() {
    get history "$1"
    [ "$result" = 0 ] && result=
    printf '%-10s %-8s %-9s %9s %9s\n' date what place change balance
    while IFS='|' read -r date what place change balance note; do
        [ -n "$date" ] || continue
        [ "$date" -ge "$2" ] && [ "$date" -le "$3" ] || continue
        show_date "$date"
        printf '%-10s %-8s %-9s %9s %9d%s\n' "$result" "$what" "$place" "$change" "$balance" "${note:+  $note}"
    done <<END
$result
END
}

# The items that were not used for more than so many days before a date.
report_slow() {
    lines=0
    printf '%-8s %-10s %6s %9s\n' code used days quantity
    for item in $items; do
        get total "$item"
        quantity=$result
        last_use "$item"
        used=$result
        [ "$quantity" -gt 0 ] && [ "$used" != 0 ] || continue
        days_between "$used" "$1"
        [ "$result" -gt "$2" ] || continue
        days=$result
        show_date "$used"
        printf '%-8s %-10s %6d %9d\n' "$item" "$result" "$days" "$quantity"
        lines=$((lines + 1))
    done
    echo "$lines slow"
}

# The items in classes by their value.
report_classes() {
    items_by_value
    sorted=$result
    sum=0
    for item in $sorted; do
        get value "$item"
        sum=$((sum + result))
    done
    printf '%-8s %12s %7s %s\n' code value share class
    before=0
    for item in $sorted; do
        get value "$item"
        value=$result
        divide_round $((before * 1000)) "$sum"
        class_of "$result"
        class=$result
        before=$((before + value))
        divide_round $((value * 1000)) "$sum"
        share=$((result / 10)).$((result % 10))
        show_amount "$value"
        printf '%-8s %12s %7s %s\n' "$item" "$result" "$share" "$class"
    done
}

# How many items and pieces each place has.
report_places() {
    printf '%-5s %6s %9s\n' place items quantity
    for place in $places; do
        kinds=0
        pieces=0
        for item in $items; do
            stock_at "$item" "$place"
            [ "$result" -gt 0 ] || continue
            kinds=$((kinds + 1))
            pieces=$((pieces + result))
        done
        printf '%-5s %6d %9d\n' "$place" "$kinds" "$pieces"
    done
}
