# How a worker gets its next job.

# the names of the jobs that wait, in their order
waiting() {
    ls "$SPOOL/incoming" | grep '^[0-9][0-9]*-' | sort -n
}

# claim: moves a job to $mine and sets $id; fails if there is none
claim() {
    waiting > "$SPOOL/tmp/waiting.$$"
    while IFS= read -r id; do
        if mv "$SPOOL/incoming/$id" "$mine/$id" 2> /dev/null; then
            rm -f "$SPOOL/tmp/waiting.$$"
            return 0
        fi
    done < "$SPOOL/tmp/waiting.$$"
    rm -f "$SPOOL/tmp/waiting.$$"
    return 1
}
