#include "editor.h"
#include "memory.h"

#include <ctype.h>
#include <stdlib.h>

/* The number of a letter from `a` to `z`, from 0. -1 for all else. */
int letter_index(char letter)
{
    return letter >= 'a' && letter <= 'z' ? letter - 'a' : -1;
}

/* Reads a number. Too large ones stay at a million, which no text has. */
static size_t read_number(const char **source)
{
    size_t number = 0;
    while (isdigit((unsigned char)**source)) {
        number = number * 10 + (size_t)(*(*source)++ - '0');
        if (number > 1000000)
            number = 1000000;
    }
    return number;
}

/* Reads up to a delimiter, which may be left out at the end. `\` and the delimiter stand for the delimiter. */
char *read_delimited(const char **source, char delimiter)
{
    struct string part;
    string_begin(&part);
    while (**source != '\0' && **source != delimiter) {
        if (**source == '\\' && (*source)[1] == delimiter)
            (*source)++;
        else if (**source == '\\' && (*source)[1] != '\0')
            string_add(&part, *(*source)++);
        string_add(&part, *(*source)++);
    }
    if (**source == delimiter)
        (*source)++;
    return part.bytes;
}

/* Reads a pattern up to a delimiter, and keeps it as the last one. An empty one is the last one again. */
bool read_pattern(struct editor *editor, const char **source, char delimiter, bool any_case)
{
    char *words = read_delimited(source, delimiter);
    bool is_good = true;
    if (*words != '\0') {
        struct pattern pattern;
        is_good = pattern_read(&pattern, words, any_case);
        if (is_good) {
            editor->pattern = pattern;
            editor->has_pattern = true;
        } else {
            fail(editor, "bad pattern");
        }
    } else if (!editor->has_pattern) {
        is_good = fail(editor, "no pattern yet");
    }
    free(words);
    return is_good;
}

/* Looks for the last pattern from the current line on, around the end, the current line last. */
static bool search(struct editor *editor, bool forward, size_t *number)
{
    size_t count = editor->text.count;
    size_t line = editor->current;
    for (size_t i = 0; i < count; i++) {
        if (forward)
            line = line >= count ? 1 : line + 1;
        else
            line = line <= 1 ? count : line - 1;
        struct span span;
        if (pattern_find(&editor->pattern, text_words(&editor->text, line), 0, &span)) {
            *number = line;
            return true;
        }
    }
    return fail(editor, "no match");
}

/* The line that a mark is at. */
static bool read_mark(struct editor *editor, const char **source, size_t *number)
{
    int index = letter_index(**source);
    if (index < 0)
        return fail(editor, "a letter was expected");
    (*source)++;
    *number = text_find_id(&editor->text, editor->marks[index]);
    return *number > 0 || fail(editor, "no such mark");
}

/* Reads an address without steps. `is_there` is false if there is none; then it is the current line. */
static bool read_base(struct editor *editor, const char **source, size_t *number, bool *is_there)
{
    char first = **source;
    *number = editor->current;
    *is_there = true;
    if (isdigit((unsigned char)first)) {
        *number = read_number(source);
        return true;
    }
    if (first == '.' || first == '$' || first == '\'' || first == '/' || first == '?')
        (*source)++;
    else
        *is_there = false;
    if (first == '$')
        *number = editor->text.count;
    if (first == '\'')
        return read_mark(editor, source, number);
    if (first == '/' || first == '?')
        return read_pattern(editor, source, first, false) && search(editor, first == '/', number);
    return true;
}

/* Reads an address with its steps: `+2`, `-`, `$-1`. It must be a line of the text, or 0. */
bool read_address(struct editor *editor, const char **source, size_t *number, bool *is_there)
{
    if (!read_base(editor, source, number, is_there))
        return false;
    while (**source == '+' || **source == '-') {
        bool forward = *(*source)++ == '+';
        size_t step = isdigit((unsigned char)**source) ? read_number(source) : 1;
        if (!forward && step > *number)
            return fail(editor, "no such line");
        *number = forward ? *number + step : *number - step;
        *is_there = true;
    }
    return *number <= editor->text.count || fail(editor, "no such line");
}

/* Reads no address, one, or two with a comma. `%` stands for `1,$`. */
bool read_range(struct editor *editor, const char **source, struct range *range)
{
    bool is_first, is_last;
    *range = (struct range){1, editor->text.count, 2};
    if (**source == '%') {
        (*source)++;
        return true;
    }
    if (!read_address(editor, source, &range->first, &is_first))
        return false;
    if (**source != ',') {
        range->last = range->first;
        range->given = is_first ? 1 : 0;
        return true;
    }
    (*source)++;
    if (!read_address(editor, source, &range->last, &is_last))
        return false;
    if (!is_first)
        range->first = 1;
    if (!is_last)
        range->last = editor->text.count;
    return range->first <= range->last || fail(editor, "the range is backwards");
}
