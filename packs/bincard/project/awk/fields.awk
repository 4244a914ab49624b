# Cuts cards into fields with `|` between them, and the number of the line in front. README.md has the columns.

function field(first, last,    text) {
    text = substr($0, first, last - first + 1)
    gsub(/\|/, "/", text)
    sub(/^[ \t]+/, "", text)
    sub(/[ \t]+$/, "", text)
    return text
}

/^\*/ || /^[ \t]*$/ { next }

substr($0, 1, 1) == "I" {
    print NR "|I|" field(12, 19) "|" field(21, 40) "|" field(42, 48) "|" field(50, 56)
    next
}

{
    print NR "|" field(1, 1) "|" field(3, 10) "|" field(12, 19) "|" field(21, 24) "|" field(26, 29) "|" field(31, 37) "|" field(39, 47) "|" field(49, 200)
}
