#include "editor.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Prints the lines. The last one becomes the current line. */
bool do_print(struct editor *editor, struct range range, const char *rest)
{
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    for (size_t i = range.first; i <= range.last; i++)
        printf("%s\n", text_words(&editor->text, i));
    editor->current = range.last;
    return true;
}

/* Prints the lines with their numbers, and `*` at the current one. */
bool do_number(struct editor *editor, struct range range, const char *rest)
{
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    for (size_t i = range.first; i <= range.last; i++)
        printf("%4zu%c %s\n", i, i == editor->current ? '*' : ' ', text_words(&editor->text, i));
    editor->current = range.last;
    return true;
}

/* Prints a byte so that it can be seen. */
static void show_byte(unsigned char byte)
{
    if (byte == '\t')
        printf("\\t");
    else if (byte == '\\')
        printf("\\\\");
    else if (byte < 32 || byte > 126)
        printf("\\x%02x", byte);
    else
        putchar(byte);
}

/* Prints the lines with all bytes visible and `$` at the end. */
bool do_list(struct editor *editor, struct range range, const char *rest)
{
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    for (size_t i = range.first; i <= range.last; i++) {
        for (const char *words = text_words(&editor->text, i); *words != '\0'; words++)
            show_byte((unsigned char)*words);
        printf("$\n");
    }
    editor->current = range.last;
    return true;
}

/* Prints the number of a line and how many there are. The current line stays. */
bool do_where(struct editor *editor, struct range range, const char *rest)
{
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    printf("line %zu of %zu\n", range.last, editor->text.count);
    return true;
}

/* How many words a line has. */
static size_t count_words(const char *words)
{
    size_t count = 0;
    bool in_word = false;
    for (; *words != '\0'; words++) {
        bool is_blank = *words == ' ' || *words == '\t';
        if (!is_blank && !in_word)
            count++;
        in_word = !is_blank;
    }
    return count;
}

/* Prints how many lines, words and bytes there are, with the newlines. The current line stays. */
bool do_count(struct editor *editor, struct range range, const char *rest)
{
    size_t words = 0, bytes = 0;
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    for (size_t i = range.first; i <= range.last; i++) {
        words += count_words(text_words(&editor->text, i));
        bytes += strlen(text_words(&editor->text, i)) + 1;
    }
    printf("%zu lines, %zu words, %zu bytes\n", range.last + 1 - range.first, words, bytes);
    return true;
}

/* Prints the steps from the oldest; those that are undone with `~`. */
bool do_history(struct editor *editor, struct range range, const char *rest)
{
    const struct journal *journal = &editor->text.journal;
    (void)range;
    if (*rest != '\0')
        return fail(editor, "nothing was expected behind the command");
    for (size_t i = 0; i < journal->count; i++) {
        const struct step *step = &journal->steps[i];
        printf("%c%zu +%zu -%zu %s\n", i < journal->done ? ' ' : '~', i + 1, step_lines(step, true),
               step_lines(step, false), step->command);
    }
    printf("%zu to undo, %zu to redo\n", journal->done, journal->count - journal->done);
    return true;
}

/* Prints what stands behind the command. */
bool do_echo(struct editor *editor, struct range range, const char *rest)
{
    (void)range;
    if (*rest != '\0' && *rest != ' ')
        return fail(editor, "a space was expected behind the command");
    printf("%s\n", *rest == ' ' ? rest + 1 : rest);
    return true;
}
