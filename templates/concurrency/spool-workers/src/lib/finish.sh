# How a job leaves the hands of a worker.

recorded() {
    grep -q -x -F -e "$1${tab}done" -e "$1${tab}failed" "$SPOOL/ledger" 2> /dev/null
}

# record ID STATUS: a line in the ledger
record() {
    (
        flock 9
        if ! recorded "$1"; then
            printf '%s\t%s\n' "$1" "$2" >> "$SPOOL/ledger"
        fi
    ) 9> "$SPOOL/locks/ledger"
}

# finish ID STATUS FILE
finish() {
    record "$1" "$2"
    mv "$3" "$SPOOL/$2/$1"
}

# give_back ID FILE: after a try that failed
give_back() {
    if [ "$(tries "$1")" -ge "$MAX" ]; then
        finish "$1" failed "$2"
    else
        mv "$2" "$SPOOL/incoming/$1"
    fi
}

# settle ID FILE: the worker died, nobody knows where
settle() {
    if [ -f "$SPOOL/results/$1" ]; then
        finish "$1" done "$2"
    else
        give_back "$1" "$2"
    fi
}
