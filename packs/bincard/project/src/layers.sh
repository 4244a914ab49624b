# Layers: what was received of an item and is still there, the oldest first. A layer is QUANTITY:PRICE.

# Adds a layer behind the others. A layer of the same price as the last one is put together with it.
push_layer() {
    get layers "$1"
    [ "$result" = 0 ] && result=
    kept=$result
    last=${kept##* }
    if [ -n "$kept" ] && [ "${last#*:}" -eq "$3" ]; then
        kept=${kept% *}
        [ "$kept" = "$last" ] && kept=
        put layers "$1" "${kept:+$kept }$((${last%:*} + $2)):$3"
    else
        put layers "$1" "${kept:+$kept }$2:$3"
    fi
}

# Takes a quantity out of the oldest layers. Leaves what it cost in `result`.
take_layers() {
    get layers "$1"
    [ "$result" = 0 ] && result=
    wanted=$2
    cost=0
    kept=
    for layer in $result; do
        smaller_of "${layer%:*}" "$wanted"
        cost=$((cost + result * ${layer#*:}))
        wanted=$((wanted - result))
        left=$((${layer%:*} - result))
        if [ "$left" -gt 0 ]; then
            kept="$kept $left:${layer#*:}"
        fi
    done
    put layers "$1" "${kept# }"
    result=$cost
}

# What all layers of an item are worth.
layers_value() {
    get layers "$1"
    [ "$result" = 0 ] && result=
    worth=0
    for layer in $result; do
        worth=$((worth + ${layer%:*} * ${layer#*:}))
    done
    result=$worth
}
