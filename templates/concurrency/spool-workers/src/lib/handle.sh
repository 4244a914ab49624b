# One try of one job.

# handle ID: the job is in $mine
handle() {
    job=$mine/$1
    count_try "$1"
    name=$(head -n 1 "$job")
    out=$SPOOL/tmp/out.$$
    if tail -n +2 "$job" | "$here/handlers/$name" > "$out"; then
        mv "$out" "$SPOOL/results/$1"
        finish "$1" done "$job"
    else
        rm -f "$out"
        give_back "$1" "$job"
    fi
}
