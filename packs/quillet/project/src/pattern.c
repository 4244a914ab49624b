#include "pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static void set_add(unsigned char *set, unsigned char byte)
{
    set[byte / 8] |= (unsigned char)(1u << (byte % 8));
}

static bool set_has(const unsigned char *set, unsigned char byte)
{
    return (set[byte / 8] >> (byte % 8)) & 1;
}

static void set_invert(unsigned char *set)
{
    for (size_t i = 0; i < 32; i++)
        set[i] = (unsigned char)~set[i];
}

/* Whether a byte can be in a word: a letter, a digit or `_`. */
static bool is_word_byte(unsigned char byte)
{
    return isalnum(byte) || byte == '_';
}

/* Adds what `\d`, `\w` or `\s` mean to a set. False if the letter is none of these. */
static bool add_class(unsigned char *set, char letter)
{
    if (letter != 'd' && letter != 'w' && letter != 's')
        return false;
    for (unsigned byte = 1; byte < 256; byte++) {
        bool is_in = letter == 'd' ? isdigit((int)byte) != 0
                   : letter == 'w' ? is_word_byte((unsigned char)byte)
                                   : byte == ' ' || byte == '\t';
        if (is_in)
            set_add(set, (unsigned char)byte);
    }
    return true;
}

/* Adds what stands behind a backslash to a set. */
static void add_escaped(unsigned char *set, char letter)
{
    if (!add_class(set, letter))
        set_add(set, (unsigned char)(letter == 't' ? '\t' : letter));
}

/* Reads one byte or range inside of brackets. NULL if it is faulty. */
static const char *read_member(unsigned char *set, const char *source)
{
    if (*source == '\\' && source[1] != '\0') {
        add_escaped(set, source[1]);
        return source + 2;
    }
    if (source[1] == '-' && source[2] != ']' && source[2] != '\0') {
        unsigned char low = (unsigned char)source[0], high = (unsigned char)source[2];
        if (low > high)
            return NULL;
        for (unsigned byte = low; byte <= high; byte++)
            set_add(set, (unsigned char)byte);
        return source + 3;
    }
    set_add(set, (unsigned char)*source);
    return source + 1;
}

/* Reads a set behind its `[`. Gives the place behind the `]`, or NULL if there is none. */
static const char *read_brackets(unsigned char *set, const char *source)
{
    bool inverted = *source == '^';
    if (inverted)
        source++;
    bool is_first = true;
    while (is_first || *source != ']') {
        if (*source == '\0')
            return NULL;
        source = read_member(set, source);
        if (source == NULL)
            return NULL;
        is_first = false;
    }
    if (inverted)
        set_invert(set);
    return source + 1;
}

/* Reads an atom without what says how often. Gives the place behind it, or NULL. */
static const char *read_atom(struct atom *atom, const char *source)
{
    memset(atom, 0, sizeof *atom);
    atom->least = atom->most = 1;
    if (*source == '*' || *source == '+' || *source == '?')
        return NULL;
    if (*source == '[')
        return read_brackets(atom->set, source + 1);
    if (*source == '.') {
        set_invert(atom->set);
        return source + 1;
    }
    if (*source == '\\') {
        if (source[1] == '\0')
            return NULL;
        if (source[1] == 'b')
            atom->kind = ATOM_EDGE;
        else
            add_escaped(atom->set, source[1]);
        return source + 2;
    }
    set_add(atom->set, (unsigned char)*source);
    return source + 1;
}

/* Reads `*`, `+` or `?` behind an atom. */
static const char *read_times(struct atom *atom, const char *source)
{
    if (*source != '*' && *source != '+' && *source != '?')
        return source;
    if (atom->kind == ATOM_EDGE)
        return NULL;
    atom->least = *source == '+' ? 1 : 0;
    atom->most = *source == '?' ? 1 : SIZE_MAX;
    return source + 1;
}

/* Makes a pattern of its source. False if it is faulty or too long. */
bool pattern_read(struct pattern *pattern, const char *source, bool any_case)
{
    *pattern = (struct pattern){.any_case = any_case};
    if (*source == '^') {
        pattern->from_start = true;
        source++;
    }
    while (*source != '\0') {
        if (*source == '$' && source[1] == '\0') {
            pattern->to_end = true;
            return true;
        }
        if (pattern->count == MOST_ATOMS)
            return false;
        struct atom *atom = &pattern->atoms[pattern->count++];
        source = read_atom(atom, source);
        if (source != NULL)
            source = read_times(atom, source);
        if (source == NULL)
            return false;
    }
    return true;
}

/* Whether a set of the pattern has a byte, be it in the other case. */
static bool accepts(const struct pattern *pattern, const struct atom *atom, char byte)
{
    if (set_has(atom->set, (unsigned char)byte))
        return true;
    if (!pattern->any_case)
        return false;
    return set_has(atom->set, (unsigned char)tolower((unsigned char)byte)) ||
           set_has(atom->set, (unsigned char)toupper((unsigned char)byte));
}

/* Whether a word begins or ends at a place. */
static bool is_edge(const char *words, size_t place)
{
    bool before = place > 0 && is_word_byte((unsigned char)words[place - 1]);
    bool behind = is_word_byte((unsigned char)words[place]);
    return before != behind;
}

/* Matches the atoms from `index` on at a place. Each atom takes as much as it can. */
static bool match_atoms(const struct pattern *pattern, size_t index, const char *words, size_t place, size_t *end)
{
    if (index == pattern->count) {
        *end = place;
        return !pattern->to_end || words[place] == '\0';
    }
    const struct atom *atom = &pattern->atoms[index];
    if (atom->kind == ATOM_EDGE)
        return is_edge(words, place) && match_atoms(pattern, index + 1, words, place, end);
    size_t times = 0;
    while (times < atom->most && words[place + times] != '\0' && accepts(pattern, atom, words[place + times]))
        times++;
    for (;; times--) {
        if (times < atom->least)
            return false;
        if (match_atoms(pattern, index + 1, words, place + times, end))
            return true;
        if (times == 0)
            return false;
    }
}

/* Finds the first match that begins at `from` or behind it. */
bool pattern_find(const struct pattern *pattern, const char *words, size_t from, struct span *found)
{
    size_t last = pattern->from_start ? 0 : strlen(words);
    for (size_t start = from; start <= last; start++) {
        if (match_atoms(pattern, 0, words, start, &found->end)) {
            found->start = start;
            return true;
        }
    }
    return false;
}
