/* Patterns: what a line is searched for. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum { MOST_ATOMS = 64 };

enum atom_kind { ATOM_SET, ATOM_EDGE };

/* A set of bytes that stands `least` to `most` times, or the edge of a word. */
struct atom {
    enum atom_kind kind;
    unsigned char set[32];
    size_t least;
    size_t most;
};

struct pattern {
    struct atom atoms[MOST_ATOMS];
    size_t count;
    bool from_start;
    bool to_end;
    bool any_case;
};

/* A part of a line: from `start`, before `end`. */
struct span {
    size_t start;
    size_t end;
};

bool pattern_read(struct pattern *pattern, const char *source, bool any_case);
bool pattern_find(const struct pattern *pattern, const char *words, size_t from, struct span *found);

#endif
