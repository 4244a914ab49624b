# Writes a library anew, with local names that no one has seen and without its comments; -v seed=NUMBER
BEGIN {
    srand(seed)
    parts = split("ba de fi go hu ka le mi no pu ra se ti vo wy", syllable, " ")
    count = split("rest tab text fill missing place left right glue line between piece digits steps mark _s _c _sep _out _n _i", old, " ")
    for (at = 1; at <= count; at++) name[old[at]] = (old[at] ~ /^_/ ? "_" : "") fresh()
}
function fresh(   word, length_) {
    do {
        word = ""
        for (length_ = 2 + int(rand() * 3); length_ > 0; length_--) word = word syllable[1 + int(rand() * parts)]
    } while (word in taken)
    taken[word] = 1
    return word
}
/^ *#/ { next }
/^$/ && rand() < 0.5 { next }
{
    out = ""; rest = $0
    while (match(rest, /[A-Za-z_][A-Za-z_0-9]*/)) {
        word = substr(rest, RSTART, RLENGTH)
        out = out substr(rest, 1, RSTART - 1) (word in name ? name[word] : word)
        rest = substr(rest, RSTART + RLENGTH)
    }
    print out rest
}
