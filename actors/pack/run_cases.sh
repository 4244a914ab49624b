#!/bin/sh
# Runs the cases of this project: tests/run [NAME...]
#
# A case is a directory tests/cases/NAME: cmd (the arguments, one a line), in (the standard input),
# files/ (what lies in the directory in which the program runs), out (what it must print), status (its
# exit code; 0 if the file is missing). All but out may be missing. Before the cases, the program is
# built with the command in tests/build, if that is there. tests/program has the command of the program. Both have one
# word a line.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 2
cases=$root/tests/cases
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

build() {
    [ -f "$root/tests/build" ] || return 0
    set --
    while IFS= read -r word || [ -n "$word" ]; do
        set -- "$@" "$word"
    done <"$root/tests/build"
    [ $# -gt 0 ] || return 0
    if ! (cd "$root" && "$@") >"$scratch/log" 2>&1 </dev/null; then
        echo "the build fails:"
        cat "$scratch/log"
        return 1
    fi
}

# Runs the program in the directory $scratch/place with the arguments of the case $1.
program() {
    case=$1
    set --
    while IFS= read -r word || [ -n "$word" ]; do
        [ -f "$root/$word" ] && word=$root/$word
        set -- "$@" "$word"
    done <"$root/tests/program"
    if [ -f "$case/cmd" ]; then
        while IFS= read -r word || [ -n "$word" ]; do
            set -- "$@" "$word"
        done <"$case/cmd"
    fi
    input=/dev/null
    [ -f "$case/in" ] && input=$case/in
    if command -v timeout >/dev/null 2>&1; then
        set -- timeout 20 "$@"
    fi
    (cd "$scratch/place" && exec "$@") <"$input" >"$scratch/out" 2>"$scratch/err"
}

# Says whether the case $1 is right, and how not.
check() {
    name=$1
    if [ ! -f "$cases/$name/out" ]; then
        echo "FAIL $name: there is no such case"
        return 1
    fi
    rm -rf "$scratch/place"
    mkdir "$scratch/place"
    [ -d "$cases/$name/files" ] && cp -R "$cases/$name/files/." "$scratch/place/"
    status=0
    [ -f "$cases/$name/status" ] && status=$(cat "$cases/$name/status")
    program "$cases/$name"
    code=$?
    if cmp -s "$cases/$name/out" "$scratch/out" && [ "$code" -eq "$status" ]; then
        echo "ok $name"
        return 0
    fi
    echo "FAIL $name"
    [ "$code" -eq "$status" ] || echo "  exit code: expected $status, found $code"
    cmp -s "$cases/$name/out" "$scratch/out" || diff -u "$cases/$name/out" "$scratch/out" | sed -e 1d -e 2d -e 's/^/  /'
    head -n 5 "$scratch/err" | sed 's/^/  stderr: /'
    return 1
}

build || exit 1
if [ $# -eq 0 ]; then
    for place in "$cases"/*/; do
        place=${place%/}
        set -- "$@" "${place##*/}"
    done
fi
wrong=0
for name in "$@"; do
    check "$name" || wrong=$((wrong + 1))
done
if [ "$wrong" -gt 0 ]; then
    echo "$wrong of $# cases are wrong"
    exit 1
fi
echo "all $# cases are right"
