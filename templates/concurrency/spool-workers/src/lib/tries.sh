# How often a job was tried.

tries() {
    if [ -f "$SPOOL/tries/$1" ]; then cat "$SPOOL/tries/$1"; else echo 0; fi
}

count_try() {
    echo $(($(tries "$1") + 1)) > "$SPOOL/tmp/tries.$$"
    mv "$SPOOL/tmp/tries.$$" "$SPOOL/tries/$1"
}
