# The deploys of docs/DEPLOY.md. The history is the only truth; `settle` makes the site agree with it.

fail() {
    echo "$2" >&2
    exit "$1"
}

back() {
    settle
    fail "$@"
}

point() {
    ln -s "releases/$1" tmp/link && mv -T tmp/link current
}

settle() {
    rm -rf tmp/link
    want=$(sed -n '$p' history)
    if [ -n "$want" ]; then
        if [ "$(readlink current)" != "releases/$want" ]; then point "$want"; fi
    else
        rm -f current
    fi
    sweep
}

sweep() {
    find releases tmp -mindepth 1 -maxdepth 1 | while IFS= read -r place; do
        case $place in
        releases/*) grep -Fqxe "${place#*/}" history && continue ;;
        esac
        rm -rf "$place"
    done
    rm -f current.new
}

enter() {
    test -f "$1/history" && cd "$1" || fail 64 "no site: $1"
    for again in 1 2; do
        if ln -s $$ lock 2> /dev/null; then
            trap 'rm -f lock' EXIT
            settle
            return
        fi
        kill -0 "$(readlink lock)" 2> /dev/null && break
        rm -f lock
    done
    fail 75 "locked"
}

asked() {
    left=$(sed -n 's/^tries = //p' config)
    until ./probe "$1" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
    done
}

deploy() {
    [ $# -eq 3 ] || fail 64 "three arguments"
    id=$2 source=$(cd "$3" 2> /dev/null && pwd) || fail 64 "no directory: $3"
    case $id in [!a-z0-9]* | *[!a-z0-9.-]* | '') fail 64 "no ID: $id" ;; esac
    enter "$1"
    grep -Fqxe "$id" history && fail 65 "known: $id"
    cp -R "$source" "tmp/new" || back 74 "cannot copy"
    (cd tmp/new && sha256sum -c SUMS) > /dev/null 2>&1 || back 66 "sums"
    ln -s ../../shared tmp/new/data && mv -T tmp/new "releases/$id" && point "$id" || back 74 "cannot switch"
    asked "$id" || back 70 "not healthy"
    (cat history; echo "$id") > tmp/all
    tail -n "$(sed -n 's/^keep = //p' config)" tmp/all > tmp/kept
    mv tmp/kept history || back 74 "no history"
    sweep
    echo "deployed $id"
}

rollback() {
    enter "$1"
    to=$(sed -n 'x;$p' history)
    [ -n "$to" ] || fail 67 "nothing before"
    point "$to" || back 74 "cannot switch"
    asked "$to" || back 70 "not healthy"
    sed '$d' history > tmp/kept
    mv tmp/kept history || back 74 "no history"
    sweep
    echo "rolled back to $to"
}
