# Builds the program and runs the cases, as suite.cfg says. It is started in the project's directory.
#
# A case is a directory: cmd (the arguments, one a line), in (the standard input), files/ (what lies in the
# directory in which the program runs), out (what it must print), status (its exit code; 0 if the file is
# missing). All but out may be missing. tools/program has the command of the program, and tools/build the one
# that builds it, a word a line. A file below tools/local is used in the place of the project's own.
root=$(pwd)
lock=$root/tools/suite.lock
# Two runs at once would build over each other.
if ! mkdir "$lock" 2>/dev/null; then
    echo "suite: another run goes on, says $lock"
    [ -f "$lock" ] && cat "$lock"
    exit 2
fi
scratch=
trap 'rm -rf "$lock" "$scratch"' EXIT
trap 'exit 130' INT TERM
scratch=$(mktemp -d) || exit 2

title='' cases='' only=''
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    '' | '#'*) ;;
    title=*) title=${line#title=} ;;
    cases=*) cases=${line#cases=} ;;
    only=*) only=${line#only=} ;;
    *)
        echo "suite: this line of tools/suite.cfg is no setting: $line"
        exit 2
        ;;
    esac
done <tools/suite.cfg || exit 2
if ! cases=$(cd "$cases" && pwd); then
    echo "suite: there is no such directory of cases in $root"
    exit 2
fi

build() {
    [ -f tools/build ] || return 0
    set --
    while IFS= read -r word || [ -n "$word" ]; do
        set -- "$@" "$word"
    done <tools/build
    if ! "$@" >"$scratch/log" 2>&1 </dev/null; then
        echo "suite: the build fails:"
        cat "$scratch/log"
        return 1
    fi
}

# Runs the program in the directory $scratch/place with the arguments of the case $1.
program() {
    case=$1
    set --
    while IFS= read -r word || [ -n "$word" ]; do
        if [ -f "$root/tools/local/${word#./}" ]; then
            word=$root/tools/local/${word#./}
        elif [ -f "$root/$word" ]; then
            word=$root/$word
        fi
        set -- "$@" "$word"
    done <tools/program
    if [ -f "$case/cmd" ]; then
        while IFS= read -r word || [ -n "$word" ]; do
            set -- "$@" "$word"
        done <"$case/cmd"
    fi
    input=/dev/null
    [ -f "$case/in" ] && input=$case/in
    (cd "$scratch/place" && exec "$@") <"$input" >"$scratch/out" 2>"$scratch/err"
}

# Says whether the case $1 is right, and how not.
check() {
    rm -rf "$scratch/place"
    mkdir "$scratch/place"
    [ -d "$1/files" ] && cp -R "$1/files/." "$scratch/place/"
    status=0
    [ -f "$1/status" ] && status=$(cat "$1/status")
    program "$1"
    code=$?
    if cmp -s "$1/out" "$scratch/out" && [ "$code" -eq "$status" ]; then
        echo "ok ${1##*/}"
        return 0
    fi
    echo "FAIL ${1##*/}"
    [ "$code" -eq "$status" ] || echo "  exit code: expected $status, found $code"
    head -n 5 "$scratch/err" | sed 's/^/  stderr: /'
    return 1
}

echo "$title"
build || exit 1
all=0 wrong=0
for place in "$cases"/*/; do
    place=${place%/}
    case ${place##*/} in
    *"$only"*) ;;
    *) continue ;;
    esac
    all=$((all + 1))
    check "$place" || wrong=$((wrong + 1))
done
if [ "$all" -eq 0 ]; then
    echo "suite: no case has $only in its name"
    exit 2
fi
if [ "$wrong" -gt 0 ]; then
    echo "$wrong of $all cases are wrong"
    exit 1
fi
echo "all $all cases are right"
