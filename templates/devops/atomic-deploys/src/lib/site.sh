# What bin/* share. docs/DEPLOY.md says what they promise.

die() {
    code=$1
    shift
    printf '%s\n' "$*" >&2
    exit "$code"
}

# Puts everything back to what the history says, and ends.
undo() {
    code=$1
    shift
    recover
    die "$code" "$@"
}

take_lock() {
    if ! ln -s $$ lock 2> /dev/null; then
        owner=$(readlink lock) || die 75 "the site cannot be locked"
        if kill -0 "$owner" 2> /dev/null; then
            die 75 "the site is locked by $owner"
        fi
        rm -f lock
        ln -s $$ lock || die 75 "the site cannot be locked"
    fi
    trap 'rm -f lock' EXIT
    trap 'exit 130' INT TERM HUP
}

open_site() {
    site=$1
    [ -f "$site/history" ] || die 64 "no site: $site"
    cd "$site" || exit 64
    keep=$(sed -n 's/^keep = //p' config)
    tries=$(sed -n 's/^tries = //p' config)
    take_lock
    recover || die 74 "the site cannot be recovered"
}

switch() {
    rm -f current.new && ln -s "releases/$1" current.new && mv -T current.new current
}

recover() {
    last=$(tail -n 1 history)
    if [ -z "$last" ]; then
        rm -f current
    else
        [ "$(readlink current)" = "releases/$last" ] || switch "$last" || return 1
    fi
    clean
    return 0
}

# Removes what no release of the history needs.
clean() {
    rm -rf tmp/* current.new
    for place in releases/* releases/.[!.]*; do
        name=${place#releases/}
        [ -d "$place" ] || continue
        grep -q -x -F -e "$name" history || rm -rf "$place"
    done
}

stage() {
    part=releases/.$id.part
    rm -rf "$part"
    cp -R "$source" "$part" || return 1
    ln -s ../../shared "$part/data"
}

verify() {
    (cd "$part" && sha256sum -c --quiet SUMS) > /dev/null 2>&1
}

probe() {
    count=0
    while [ $count -lt "$tries" ]; do
        if ./probe "$1" > /dev/null 2>&1; then return 0; fi
        count=$((count + 1))
    done
    return 1
}

remember() {
    { cat history && echo "$1"; } | tail -n "$keep" > tmp/history && mv tmp/history history
}

forget() {
    sed '$d' history > tmp/before && mv tmp/before history
}
