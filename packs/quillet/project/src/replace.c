#include "editor.h"
#include "memory.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `s` does: from the match number `nth` on, one or all. */
struct substitution {
    char *replacement;
    size_t nth;
    bool all;
    bool print;
};

/* Adds a part of a line, with its letters as they are, small (`L`) or capital (`U`). */
static void add_match(struct string *out, const char *words, struct span span, char way)
{
    for (size_t i = span.start; i < span.end; i++) {
        unsigned char byte = (unsigned char)words[i];
        string_add(out, (char)(way == 'U' ? toupper(byte) : way == 'L' ? tolower(byte) : byte));
    }
}

/* Adds the replacement of a match: `&` is the match, `\n` a new line, `\U` and `\L` the match in other letters. */
static void add_replacement(struct string *out, const char *replacement, const char *words, struct span span)
{
    for (; *replacement != '\0'; replacement++) {
        if (*replacement == '&') {
            add_match(out, words, span, '&');
        } else if (*replacement == '\\' && replacement[1] != '\0') {
            replacement++;
            if (*replacement == 'U' || *replacement == 'L')
                add_match(out, words, span, *replacement);
            else
                string_add(out, *replacement == 'n' ? '\n' : *replacement);
        } else {
            string_add(out, *replacement);
        }
    }
}

/* Makes the new words of a line. False if nothing in it is replaced. */
static bool substitute_words(const struct pattern *pattern, const struct substitution *how, const char *words,
                             struct string *out)
{
    size_t length = strlen(words), place = 0, copied = 0, seen = 0, behind = SIZE_MAX;
    bool changed = false;
    struct span span;
    while (place <= length && pattern_find(pattern, words, place, &span)) {
        bool is_empty = span.start == span.end;
        bool touches = is_empty && span.start == behind;
        if (!touches && ++seen >= how->nth && (how->all || !changed)) {
            string_append(out, words + copied, span.start - copied);
            add_replacement(out, how->replacement, words, span);
            changed = true;
        } else {
            string_append(out, words + copied, span.end - copied);
        }
        copied = span.end;
        place = span.end;
        if (!is_empty)
            behind = span.end;
        else if (place++ < length)
            string_append(out, words + copied++, 1);
    }
    if (copied < length)
        string_append(out, words + copied, length - copied);
    return changed;
}

/* Puts words that may have newlines in the place of a line. Gives how many lines these are. */
static size_t replace_split(struct text *text, size_t number, char *words)
{
    size_t count = 0;
    char *end;
    do {
        end = strchr(words, '\n');
        if (end != NULL)
            *end = '\0';
        if (count == 0)
            text_replace(text, number, words);
        else
            text_insert(text, number + count, words);
        count++;
        words = end == NULL ? words : end + 1;
    } while (end != NULL);
    return count;
}

/* Reads what stands behind the second delimiter: g, p, i and a number. */
static bool read_flags(struct editor *editor, const char *rest, struct substitution *how)
{
    how->nth = 0;
    for (; *rest != '\0'; rest++) {
        if (isdigit((unsigned char)*rest) && how->nth < 1000)
            how->nth = how->nth * 10 + (size_t)(*rest - '0');
        else if (*rest == 'g')
            how->all = true;
        else if (*rest == 'p')
            how->print = true;
        else if (*rest == 'i')
            editor->pattern.any_case = true;
        else
            return fail(editor, "unknown flag");
    }
    if (how->nth == 0)
        how->nth = 1;
    return true;
}

/* Replaces in each line of a range. */
static bool substitute_range(struct editor *editor, struct range range, const struct substitution *how)
{
    bool any = false;
    for (size_t i = range.first; i <= range.last; i++) {
        struct string out;
        string_begin(&out);
        if (substitute_words(&editor->pattern, how, text_words(&editor->text, i), &out)) {
            size_t more = replace_split(&editor->text, i, out.bytes) - 1;
            any = true;
            i += more;
            range.last += more;
            editor->current = i;
            if (how->print)
                printf("%s\n", text_words(&editor->text, i));
        }
        free(out.bytes);
    }
    return any || editor->in_global || fail(editor, "no match");
}

/* `s/PATTERN/REPLACEMENT/FLAGS`. Any byte that is no letter, digit or space may stand for `/`. */
bool do_substitute(struct editor *editor, struct range range, const char *rest)
{
    char delimiter = *rest;
    if (delimiter == '\0' || delimiter == '\\' || isspace((unsigned char)delimiter) ||
        isalnum((unsigned char)delimiter))
        return fail(editor, "a delimiter was expected");
    rest++;
    if (!read_pattern(editor, &rest, delimiter, false))
        return false;
    struct substitution how = {read_delimited(&rest, delimiter), 1, false, false};
    bool is_done = read_flags(editor, rest, &how) && substitute_range(editor, range, &how);
    free(how.replacement);
    return is_done;
}

/* Collects the ids of the lines that match, or do not. */
static unsigned long *collect_lines(struct editor *editor, struct range range, bool wanted, size_t *count)
{
    unsigned long *ids = grow(NULL, range.last + 1 - range.first, sizeof *ids);
    for (size_t i = range.first; i <= range.last; i++) {
        struct span span;
        if (pattern_find(&editor->pattern, text_words(&editor->text, i), 0, &span) == wanted)
            ids[(*count)++] = editor->text.lines[i - 1].id;
    }
    return ids;
}

/* Runs a command at each line that was collected and is still there. Stops at the first that fails. */
static bool run_at_lines(struct editor *editor, const unsigned long *ids, size_t count, const char *command)
{
    bool is_done = true;
    editor->in_global = true;
    for (size_t i = 0; i < count && is_done; i++) {
        size_t number = text_find_id(&editor->text, ids[i]);
        if (number == 0)
            continue;
        editor->current = number;
        is_done = run_command(editor, command);
    }
    editor->in_global = false;
    return is_done;
}

/* `g/PATTERN/COMMAND`, and with `wanted` false `v/PATTERN/COMMAND`. Without a command, lines are printed. */
static bool run_global(struct editor *editor, struct range range, const char *rest, bool wanted)
{
    size_t count = 0;
    if (*rest != '/')
        return fail(editor, "a delimiter was expected");
    rest++;
    if (!read_pattern(editor, &rest, '/', false))
        return false;
    char *command = copy_string(*rest == '\0' ? "p" : rest);
    unsigned long *ids = collect_lines(editor, range, wanted, &count);
    bool is_done = count > 0 ? run_at_lines(editor, ids, count, command) : fail(editor, "no match");
    free(ids);
    free(command);
    return is_done;
}

bool do_global(struct editor *editor, struct range range, const char *rest)
{
    return run_global(editor, range, rest, true);
}

bool do_inverse(struct editor *editor, struct range range, const char *rest)
{
    return run_global(editor, range, rest, false);
}
