#include "editor.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* Reads the lines of the script up to a line `.` and puts them from a number on. Gives how many. */
static bool read_block(struct editor *editor, size_t number, size_t *count)
{
    const char *words;
    while ((words = script_next(&editor->script)) != NULL) {
        if (strcmp(words, ".") == 0)
            return true;
        if (strcmp(words, "\\.") == 0)
            words++;
        text_insert(&editor->text, number + (*count)++, words);
    }
    return fail(editor, "the text has no end");
}

/* Puts the line behind the command, or the lines that follow in the script, from a number on. */
static bool put_new(struct editor *editor, size_t number, const char *rest)
{
    size_t count = 0;
    if (*rest == ' ') {
        text_insert(&editor->text, number, rest + 1);
        count = 1;
    } else if (*rest != '\0') {
        return fail(editor, "a space was expected behind the command");
    } else if (editor->in_global) {
        return fail(editor, "the text was expected behind the command");
    } else if (!read_block(editor, number, &count)) {
        return false;
    }
    if (count > 0)
        editor->current = number + count - 1;
    return true;
}

/* Adds lines behind a line. */
bool do_append(struct editor *editor, struct range range, const char *rest)
{
    return put_new(editor, range.last + 1, rest);
}

/* Adds lines before a line. Line 0 is as line 1. */
bool do_insert(struct editor *editor, struct range range, const char *rest)
{
    return put_new(editor, range.last == 0 ? 1 : range.last, rest);
}

/* The current line after lines were deleted: the one behind them, or the last one. */
static void settle_current(struct editor *editor, size_t first)
{
    editor->current = first <= editor->text.count ? first : editor->text.count;
}

/* Puts other lines in the place of some. */
bool do_change(struct editor *editor, struct range range, const char *rest)
{
    if (*rest != '\0' && *rest != ' ')
        return fail(editor, "a space was expected behind the command");
    if (*rest == '\0' && editor->in_global)
        return fail(editor, "the text was expected behind the command");
    text_delete(&editor->text, range.first, range.last);
    settle_current(editor, range.first);
    return put_new(editor, range.first, rest);
}

bool do_delete(struct editor *editor, struct range range, const char *rest)
{
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    text_delete(&editor->text, range.first, range.last);
    settle_current(editor, range.first);
    return true;
}

/* Makes one line of several, with a separator between them. Blanks at the begin of the later ones are dropped. */
bool do_join(struct editor *editor, struct range range, const char *rest)
{
    struct string joined;
    char *separator = *rest == '/' ? (rest++, read_delimited(&rest, '/')) : copy_string(" ");
    if (*rest != '\0') {
        free(separator);
        return fail(editor, "nothing was expected behind the command");
    }
    string_begin(&joined);
    for (size_t i = range.first; i <= range.last; i++) {
        const char *words = text_words(&editor->text, i);
        if (i > range.first) {
            words += strspn(words, " \t");
            string_append(&joined, separator, strlen(separator));
        }
        string_append(&joined, words, strlen(words));
    }
    text_delete(&editor->text, range.first + 1, range.last);
    text_replace(&editor->text, range.first, joined.bytes);
    editor->current = range.first;
    free(separator);
    free(joined.bytes);
    return true;
}

/* Reads the place where lines go: an address, with nothing behind it. */
static bool read_target(struct editor *editor, const char *rest, size_t *target)
{
    bool is_there;
    while (*rest == ' ')
        rest++;
    if (!read_address(editor, &rest, target, &is_there))
        return false;
    if (!is_there)
        return fail(editor, "an address was expected");
    return *rest == '\0' || fail(editor, "nothing was expected behind the address");
}

/* Moves lines behind another line. They keep their marks. */
bool do_move(struct editor *editor, struct range range, const char *rest)
{
    size_t target, count = range.last - range.first + 1;
    if (!read_target(editor, rest, &target))
        return false;
    if (target >= range.first && target < range.last)
        return fail(editor, "the target is inside of the range");
    if (target + 1 == range.first || target == range.last) {
        editor->current = range.last;
        return true;
    }
    struct line *moved = grow(NULL, count, sizeof *moved);
    for (size_t i = 0; i < count; i++)
        moved[i] = text_take(&editor->text, range.first);
    if (target > range.last)
        target -= count;
    for (size_t i = 0; i < count; i++)
        text_insert_line(&editor->text, target + 1 + i, moved[i]);
    free(moved);
    editor->current = target + count;
    return true;
}

/* Copies lines behind a line. The copies have no marks. */
bool do_copy(struct editor *editor, struct range range, const char *rest)
{
    size_t target, count = range.last - range.first + 1;
    if (!read_target(editor, rest, &target))
        return false;
    char **copies = grow(NULL, count, sizeof *copies);
    for (size_t i = 0; i < count; i++)
        copies[i] = copy_string(text_words(&editor->text, range.first + i));
    for (size_t i = 0; i < count; i++) {
        text_insert(&editor->text, target + 1 + i, copies[i]);
        free(copies[i]);
    }
    free(copies);
    editor->current = target + count;
    return true;
}

static void clear_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->words[i]);
    lines->count = 0;
}

/* The register that a command names: a letter, which is small to begin anew and capital to add. */
static struct lines *find_register(struct editor *editor, const char *rest, bool *adds)
{
    *adds = *rest >= 'A' && *rest <= 'Z';
    int index = letter_index(*adds ? (char)(*rest - 'A' + 'a') : *rest);
    if (index < 0 || rest[1] != '\0') {
        fail(editor, "a letter was expected");
        return NULL;
    }
    return &editor->registers[index];
}

/* Copies lines to a register. The current line stays. */
bool do_yank(struct editor *editor, struct range range, const char *rest)
{
    bool adds;
    struct lines *lines = find_register(editor, rest, &adds);
    if (lines == NULL)
        return false;
    if (!adds)
        clear_lines(lines);
    lines->words = grow(lines->words, lines->count + range.last - range.first + 1, sizeof *lines->words);
    for (size_t i = range.first; i <= range.last; i++)
        lines->words[lines->count++] = copy_string(text_words(&editor->text, i));
    return true;
}

/* Puts the lines of a register behind a line. */
bool do_put(struct editor *editor, struct range range, const char *rest)
{
    bool adds;
    const struct lines *lines = find_register(editor, rest, &adds);
    if (lines == NULL)
        return false;
    if (adds)
        return fail(editor, "a small letter was expected");
    if (lines->count == 0)
        return fail(editor, "the register is empty");
    for (size_t i = 0; i < lines->count; i++)
        text_insert(&editor->text, range.last + 1 + i, lines->words[i]);
    editor->current = range.last + lines->count;
    return true;
}
