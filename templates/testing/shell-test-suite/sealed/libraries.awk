# Writes libraries, each with local names that no one has seen, in an order of its own and without comments. A line of the
# input is SEED FILE TEXT..., with `right`, `broken-0` or `broken-1` for each function. A right function has one of two texts,
# mostly that in which functions can be broken: so a suite cannot tell by the text which one is right.
BEGIN {
    parts = split("ba de fi go hu ka le mi no pu ra se ti vo wy", syllable, " ")
    count = split("rest tab text fill missing place left right glue line between piece digits steps mark _s _c _sep _out _n _i", old, " ")
    for (n = 0; n < 5; n++) {
        take(n, "g"); take(n, "o"); take(n, "broken-0"); take(n, "broken-1")
    }
}
function take(n, text,   file, line) {
    file = "/sealed/parts/" n "/" text
    while ((getline line < file) > 0) lines[n, text, ++size[n, text]] = line
    close(file)
}
function fresh(   word, length_) {
    do {
        word = ""
        for (length_ = 2 + int(rand() * 3); length_ > 0; length_--) word = word syllable[1 + int(rand() * parts)]
    } while (word in taken)
    taken[word] = 1
    return word
}
function anew(line,   out, word) {
    out = ""
    while (match(line, /[A-Za-z_][A-Za-z_0-9]*/)) {
        word = substr(line, RSTART, RLENGTH)
        out = out substr(line, 1, RSTART - 1) (word in name ? name[word] : word)
        line = substr(line, RSTART + RLENGTH)
    }
    return out line
}
{
    srand($1)
    split("", taken)
    for (at = 1; at <= count; at++) name[old[at]] = (old[at] ~ /^_/ ? "_" : "") fresh()
    for (at = 0; at < 5; at++) order[at] = at
    for (at = 4; at > 0; at--) {
        other = int(rand() * (at + 1)); n = order[at]; order[at] = order[other]; order[other] = n
    }
    for (at = 0; at < 5; at++) {
        n = order[at]
        text = rand() < 0.9 ? "o" : "g"
        if ($(n + 3) != "right") text = $(n + 3)
        for (i = 1; i <= size[n, text]; i++) {
            line = lines[n, text, i]
            if (line ~ /^ *#/ || (line == "" && rand() < 0.5)) continue
            print anew(line) > $2
        }
    }
    close($2)
}
