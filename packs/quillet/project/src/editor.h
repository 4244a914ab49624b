/* The editor: a text, the place in it, and what the commands share. */
#ifndef EDITOR_H
#define EDITOR_H

#include "pattern.h"
#include "script.h"
#include "text.h"

enum { LETTERS = 26 };

/* Lines that were yanked. */
struct lines {
    char **words;
    size_t count;
};

struct editor {
    struct text text;
    struct script script;
    size_t current;
    unsigned long marks[LETTERS];
    struct lines registers[LETTERS];
    struct pattern pattern;
    bool has_pattern;
    bool in_global;
    bool is_over;
    const char *error;
};

/* The lines that a command is for; `given` says how many addresses were written. */
struct range {
    size_t first;
    size_t last;
    int given;
};

bool fail(struct editor *editor, const char *error);
void editor_free(struct editor *editor);
bool run_command(struct editor *editor, const char *command);

/* address.c */
bool read_address(struct editor *editor, const char **source, size_t *number, bool *is_there);
bool read_range(struct editor *editor, const char **source, struct range *range);
bool read_pattern(struct editor *editor, const char **source, char delimiter, bool any_case);
char *read_delimited(const char **source, char delimiter);
int letter_index(char letter);

/* change.c */
bool do_append(struct editor *editor, struct range range, const char *rest);
bool do_insert(struct editor *editor, struct range range, const char *rest);
bool do_change(struct editor *editor, struct range range, const char *rest);
bool do_delete(struct editor *editor, struct range range, const char *rest);
bool do_join(struct editor *editor, struct range range, const char *rest);
bool do_move(struct editor *editor, struct range range, const char *rest);
bool do_copy(struct editor *editor, struct range range, const char *rest);
bool do_yank(struct editor *editor, struct range range, const char *rest);
bool do_put(struct editor *editor, struct range range, const char *rest);

/* layout.c */
bool do_indent(struct editor *editor, struct range range, const char *rest);
bool do_outdent(struct editor *editor, struct range range, const char *rest);
bool do_fill(struct editor *editor, struct range range, const char *rest);
bool do_order(struct editor *editor, struct range range, const char *rest);

/* replace.c */
bool do_substitute(struct editor *editor, struct range range, const char *rest);
bool do_global(struct editor *editor, struct range range, const char *rest);
bool do_inverse(struct editor *editor, struct range range, const char *rest);

/* show.c */
bool do_print(struct editor *editor, struct range range, const char *rest);
bool do_number(struct editor *editor, struct range range, const char *rest);
bool do_list(struct editor *editor, struct range range, const char *rest);
bool do_where(struct editor *editor, struct range range, const char *rest);
bool do_count(struct editor *editor, struct range range, const char *rest);
bool do_history(struct editor *editor, struct range range, const char *rest);
bool do_echo(struct editor *editor, struct range range, const char *rest);

#endif
