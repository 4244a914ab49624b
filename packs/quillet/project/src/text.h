/* The text: lines with numbers from 1, and the journal of all that changed it. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A line. The id stays with the line when it moves or its words change. */
struct line {
    char *words;
    unsigned long id;
};

/* One line that came or went. */
struct edit {
    bool added;
    size_t at;
    struct line line;
};

/* All that one command changed. */
struct step {
    char *command;
    struct edit *edits;
    size_t count;
    size_t before;
    size_t after;
};

/* Steps from the oldest; those from `done` on are undone. */
struct journal {
    struct step *steps;
    size_t count;
    size_t done;
    struct step open;
};

struct text {
    struct line *lines;
    size_t count;
    unsigned long last_id;
    struct journal journal;
};

void text_free(struct text *text);
void text_load(struct text *text, const char *bytes, size_t length);
const char *text_words(const struct text *text, size_t number);
size_t text_find_id(const struct text *text, unsigned long id);
void text_insert(struct text *text, size_t number, const char *words);
void text_insert_line(struct text *text, size_t number, struct line line);
struct line text_take(struct text *text, size_t number);
void text_delete(struct text *text, size_t first, size_t last);
void text_replace(struct text *text, size_t number, const char *words);
void step_begin(struct text *text, const char *command, size_t current);
void step_cancel(struct text *text);
void step_end(struct text *text, size_t current);
bool step_undo(struct text *text, size_t *current);
bool step_redo(struct text *text, size_t *current);
size_t step_lines(const struct step *step, bool added);

#endif
