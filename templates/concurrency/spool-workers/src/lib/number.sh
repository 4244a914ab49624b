# The numbers of jobs.

# the next number; the file seq holds the last one
next_number() {
    (
        flock 9
        last=0
        if [ -f "$SPOOL/seq" ]; then read -r last < "$SPOOL/seq"; fi
        echo $((last + 1)) > "$SPOOL/seq"
        echo $((last + 1))
    ) 9> "$SPOOL/locks/seq"
}
