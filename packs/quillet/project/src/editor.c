#include "editor.h"

#include "memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Which lines a command is for if no address is given. */
enum lines_kind { NO_LINES, CURRENT_LINE, ALL_LINES, NEXT_LINE, ANY_PLACE };

struct command {
    char name;
    enum lines_kind lines;
    bool in_global;
    bool (*run)(struct editor *editor, struct range range, const char *rest);
};

/* Notes why a command cannot be done. Always false. */
bool fail(struct editor *editor, const char *error)
{
    editor->error = error;
    return false;
}

/* Gives back all memory. */
void editor_free(struct editor *editor)
{
    text_free(&editor->text);
    script_free(&editor->script);
    for (size_t i = 0; i < LETTERS; i++) {
        for (size_t k = 0; k < editor->registers[i].count; k++)
            free(editor->registers[i].words[k]);
        free(editor->registers[i].words);
    }
}

/* Sets the mark with a letter to a line. */
static bool do_mark(struct editor *editor, struct range range, const char *rest)
{
    int index = letter_index(*rest);
    if (index < 0 || rest[1] != '\0')
        return fail(editor, "a letter was expected");
    editor->marks[index] = editor->text.lines[range.last - 1].id;
    return true;
}

/* Reads how often to undo or redo: 1 if nothing is said. */
static bool read_times(struct editor *editor, const char *rest, unsigned long *times)
{
    char *end = NULL;
    *times = *rest == '\0' ? 1 : strtoul(rest, &end, 10);
    if (*times == 0 || (end != NULL && *end != '\0') || (*rest != '\0' && !isdigit((unsigned char)*rest)))
        return fail(editor, "a number was expected");
    return true;
}

/* Undoes so many steps, or all if there are fewer. */
static bool do_undo(struct editor *editor, struct range range, const char *rest)
{
    unsigned long times;
    (void)range;
    if (!read_times(editor, rest, &times))
        return false;
    if (!step_undo(&editor->text, &editor->current))
        return fail(editor, "nothing to undo");
    while (--times > 0 && step_undo(&editor->text, &editor->current))
        ;
    return true;
}

/* Redoes so many steps, or all if there are fewer. */
static bool do_redo(struct editor *editor, struct range range, const char *rest)
{
    unsigned long times;
    (void)range;
    if (!read_times(editor, rest, &times))
        return false;
    if (!step_redo(&editor->text, &editor->current))
        return fail(editor, "nothing to redo");
    while (--times > 0 && step_redo(&editor->text, &editor->current))
        ;
    return true;
}

/* Ends the script. */
static bool do_quit(struct editor *editor, struct range range, const char *rest)
{
    (void)range;
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    editor->is_over = true;
    return true;
}

static const struct command COMMANDS[] = {
    {'a', ANY_PLACE, true, do_append},     {'i', ANY_PLACE, true, do_insert},
    {'c', CURRENT_LINE, true, do_change},  {'d', CURRENT_LINE, true, do_delete},
    {'j', NEXT_LINE, true, do_join},       {'m', CURRENT_LINE, true, do_move},
    {'t', CURRENT_LINE, true, do_copy},    {'k', CURRENT_LINE, true, do_mark},
    {'s', CURRENT_LINE, true, do_substitute}, {'g', ALL_LINES, false, do_global},
    {'v', ALL_LINES, false, do_inverse},   {'y', CURRENT_LINE, true, do_yank},
    {'x', ANY_PLACE, true, do_put},        {'u', NO_LINES, false, do_undo},
    {'r', NO_LINES, false, do_redo},       {'h', NO_LINES, false, do_history},
    {'p', CURRENT_LINE, true, do_print},   {'n', CURRENT_LINE, true, do_number},
    {'l', CURRENT_LINE, true, do_list},    {'=', ANY_PLACE, true, do_where},
    {'w', ALL_LINES, true, do_count},      {'>', CURRENT_LINE, true, do_indent},
    {'<', CURRENT_LINE, true, do_outdent}, {'f', ALL_LINES, false, do_fill},
    {'o', ALL_LINES, false, do_order},     {'e', NO_LINES, true, do_echo},
    {'q', NO_LINES, false, do_quit},
};

static const struct command *find_command(char name)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
        if (COMMANDS[i].name == name)
            return &COMMANDS[i];
    return NULL;
}

/* Fills in the lines that were not said, and refuses those that a command cannot have. */
static bool settle_range(struct editor *editor, const struct command *command, struct range *range)
{
    if (command->lines == NO_LINES)
        return range->given == 0 || fail(editor, "no address was expected");
    if (command->lines == ALL_LINES && (range->given == 0 || editor->text.count == 0))
        *range = (struct range){1, editor->text.count, 0};
    if (command->lines == NEXT_LINE && range->given < 2)
        range->last = range->first + 1;
    if (range->last > editor->text.count)
        return fail(editor, "no such line");
    if (command->lines == ANY_PLACE || (command->lines == ALL_LINES && editor->text.count == 0))
        return true;
    return (range->first > 0 && range->first <= range->last) || fail(editor, "no such line");
}

/* Runs one command. If it fails, `error` says why. */
bool run_command(struct editor *editor, const char *source)
{
    struct range range;
    while (*source == ' ')
        source++;
    if (!read_range(editor, &source, &range))
        return false;
    while (*source == ' ')
        source++;
    if (*source == '\0' && range.given > 0)
        source = "p";
    const struct command *command = find_command(*source);
    if (command == NULL)
        return fail(editor, "unknown command");
    if (editor->in_global && !command->in_global)
        return fail(editor, "not inside of g or v");
    if (!settle_range(editor, command, &range))
        return false;
    return command->run(editor, range, source + 1);
}
