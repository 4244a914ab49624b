#include "editor.h"
#include "memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Reads a number from 1 to `most`; `usual` if nothing is written. */
static bool read_size(struct editor *editor, const char *rest, size_t usual, size_t most, size_t *size)
{
    *size = usual;
    if (*rest == '\0')
        return true;
    *size = 0;
    for (; isdigit((unsigned char)*rest) && *size <= most; rest++)
        *size = *size * 10 + (size_t)(*rest - '0');
    if (*rest != '\0' || *size < 1 || *size > most)
        return fail(editor, "bad number");
    return true;
}

/* Moves lines to the right by so many spaces (4). Empty lines stay empty. */
bool do_indent(struct editor *editor, struct range range, const char *rest)
{
    size_t size;
    if (!read_size(editor, rest, 4, 99, &size))
        return false;
    for (size_t i = range.first; i <= range.last; i++) {
        const char *words = text_words(&editor->text, i);
        if (*words == '\0')
            continue;
        struct string shifted;
        string_begin(&shifted);
        for (size_t k = 0; k < size; k++)
            string_add(&shifted, ' ');
        string_append(&shifted, words, strlen(words));
        text_replace(&editor->text, i, shifted.bytes);
        free(shifted.bytes);
    }
    editor->current = range.last;
    return true;
}

/* Moves lines to the left by so many spaces (4), as far as they begin with spaces. */
bool do_outdent(struct editor *editor, struct range range, const char *rest)
{
    size_t size;
    if (!read_size(editor, rest, 4, 99, &size))
        return false;
    for (size_t i = range.first; i <= range.last; i++) {
        const char *words = text_words(&editor->text, i);
        size_t spaces = strspn(words, " ");
        if (spaces == 0)
            continue;
        char *shifted = copy_string(words + (spaces < size ? spaces : size));
        text_replace(&editor->text, i, shifted);
        free(shifted);
    }
    editor->current = range.last;
    return true;
}

static bool is_blank(const char *words)
{
    return words[strspn(words, " \t")] == '\0';
}

/* Adds a word to the last of the filled lines if it fits, else begins a line with it. */
static void fill_word(struct lines *filled, struct string *open, size_t indent, const char *word, size_t length,
                      size_t width)
{
    bool is_new = open->length == indent;
    if (!is_new && open->length + 1 + length > width) {
        filled->words = grow(filled->words, filled->count + 1, sizeof *filled->words);
        filled->words[filled->count++] = copy_bytes(open->bytes, open->length);
        open->length = indent;
        is_new = true;
    }
    if (!is_new)
        string_add(open, ' ');
    string_append(open, word, length);
}

/* Fills a paragraph anew. Its lines are changed for the filled ones; gives how many these are. */
static size_t fill_paragraph(struct editor *editor, size_t first, size_t last, size_t width)
{
    struct lines filled = {NULL, 0};
    struct string open;
    const char *words = text_words(&editor->text, first);
    size_t indent = strspn(words, " ");
    string_begin(&open);
    string_append(&open, words, indent);
    for (size_t i = first; i <= last; i++) {
        words = text_words(&editor->text, i);
        while (*(words += strspn(words, " \t")) != '\0') {
            size_t length = strcspn(words, " \t");
            fill_word(&filled, &open, indent, words, length, width);
            words += length;
        }
    }
    text_delete(&editor->text, first, last);
    for (size_t i = 0; i < filled.count; i++) {
        text_insert(&editor->text, first + i, filled.words[i]);
        free(filled.words[i]);
    }
    text_insert(&editor->text, first + filled.count, open.bytes);
    free(filled.words);
    free(open.bytes);
    return filled.count + 1;
}

/* Fills the paragraphs of a range anew, to lines of a width (60). Blank lines are between paragraphs, and stay. */
bool do_fill(struct editor *editor, struct range range, const char *rest)
{
    size_t width, line = range.first, end = range.last;
    if (!read_size(editor, rest, 60, 999, &width))
        return false;
    while (line <= end) {
        size_t last = line;
        if (is_blank(text_words(&editor->text, line))) {
            line++;
            continue;
        }
        while (last < end && !is_blank(text_words(&editor->text, last + 1)))
            last++;
        size_t count = fill_paragraph(editor, line, last, width);
        end = end + count - (last - line + 1);
        line += count;
    }
    editor->current = end;
    return true;
}

/* How lines are ordered. */
struct order {
    bool reverse;
    bool unique;
    bool numeric;
    bool any_case;
};

/* Reads the letters behind the command: r, u, n, i. */
static bool read_order(struct editor *editor, const char *rest, struct order *order)
{
    *order = (struct order){false, false, false, false};
    for (; *rest != '\0'; rest++) {
        switch (*rest) {
        case 'r': order->reverse = true; break;
        case 'u': order->unique = true; break;
        case 'n': order->numeric = true; break;
        case 'i': order->any_case = true; break;
        default: return fail(editor, "unknown order");
        }
    }
    return true;
}

/* Compares two texts as if all letters were small. */
static int compare_small(const char *left, const char *right)
{
    while (*left != '\0' && tolower((unsigned char)*left) == tolower((unsigned char)*right)) {
        left++;
        right++;
    }
    return tolower((unsigned char)*left) - tolower((unsigned char)*right);
}

/* Compares two lines: below 0 if the left one comes first. */
static int compare_lines(const struct order *order, const char *left, const char *right)
{
    int found;
    if (order->numeric) {
        long one = strtol(left, NULL, 10), other = strtol(right, NULL, 10);
        found = (one > other) - (one < other);
    } else {
        found = order->any_case ? compare_small(left, right) : strcmp(left, right);
    }
    return order->reverse ? -found : found;
}

/* Sorts lines. Those that are equal stay in their order. */
static void sort_lines(const struct order *order, struct line *lines, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct line line = lines[i];
        size_t place = i;
        for (; place > 0 && compare_lines(order, lines[place - 1].words, line.words) > 0; place--)
            lines[place] = lines[place - 1];
        lines[place] = line;
    }
}

/* Orders lines. With `u` only the first of equal lines is kept. */
bool do_order(struct editor *editor, struct range range, const char *rest)
{
    struct order order;
    if (!read_order(editor, rest, &order))
        return false;
    size_t count = range.last + 1 - range.first, kept = 0;
    struct line *lines = grow(NULL, count, sizeof *lines);
    for (size_t i = 0; i < count; i++)
        lines[i] = text_take(&editor->text, range.first);
    sort_lines(&order, lines, count);
    for (size_t i = 0; i < count; i++) {
        const char *before = kept > 0 ? text_words(&editor->text, range.first + kept - 1) : NULL;
        if (order.unique && before != NULL && compare_lines(&order, before, lines[i].words) == 0)
            free(lines[i].words);
        else
            text_insert_line(&editor->text, range.first + kept++, lines[i]);
    }
    free(lines);
    editor->current = range.first + kept - 1;
    return true;
}
