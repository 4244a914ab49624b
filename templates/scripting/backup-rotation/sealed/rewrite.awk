# Writes a script anew, with other local names, without its comments, and with other words for some of its lines;
# -v seed=NUMBER -v SAME=FILE: a line of that file has two texts of the same meaning, with a tab between them
BEGIN {
    srand(seed)
    parts = split("ba de fi go hu ka le mi no pu ra se ti vo wy", syllable, " ")
    count = split("really where path base picked group chosen key gone reason list line die usage dir tmp pins pin name day month dn dpick mn mpick verb", old, " ")
    for (at = 1; at <= count; at++) name[old[at]] = fresh()
    while ((getline pair < SAME) > 0) { split(pair, text, "\t"); other[text[1]] = text[2]; other[text[2]] = text[1] }
}
function fresh(   word, left) {
    do {
        word = ""
        for (left = 2 + int(rand() * 3); left > 0; left--) word = word syllable[1 + int(rand() * parts)]
    } while (word in taken)
    taken[word] = 1
    return word
}
/^ *#/ { next }
/^$/ && rand() < 0.5 { next }
{
    indent = $0; sub(/[^ ].*/, "", indent)
    rest = substr($0, length(indent) + 1)
    if (rest in other && rand() < 0.5) rest = other[rest]
    out = ""
    while (match(rest, /[A-Za-z_][A-Za-z_0-9]*/)) {
        word = substr(rest, RSTART, RLENGTH)
        out = out substr(rest, 1, RSTART - 1) (word in name ? name[word] : word)
        rest = substr(rest, RSTART + RLENGTH)
    }
    print indent out rest
}
