#include "text.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

static void free_step(struct step *step)
{
    for (size_t i = 0; i < step->count; i++)
        free(step->edits[i].line.words);
    free(step->edits);
    free(step->command);
}

/* Gives back all memory of the text and its journal. */
void text_free(struct text *text)
{
    for (size_t i = 0; i < text->count; i++)
        free(text->lines[i].words);
    free(text->lines);
    for (size_t i = 0; i < text->journal.count; i++)
        free_step(&text->journal.steps[i]);
    free(text->journal.steps);
    free_step(&text->journal.open);
}

/* Puts a line at a number; the line that was there comes behind it. Nothing is written to the journal. */
static void put_line(struct text *text, size_t number, struct line line)
{
    text->lines = grow(text->lines, text->count + 1, sizeof *text->lines);
    struct line *place = text->lines + number - 1;
    memmove(place + 1, place, (text->count - (number - 1)) * sizeof *place);
    *place = line;
    text->count++;
}

/* Takes the line with a number out. Nothing is written to the journal. */
static struct line cut_line(struct text *text, size_t number)
{
    struct line *place = text->lines + number - 1;
    struct line line = *place;
    memmove(place, place + 1, (text->count - number) * sizeof *place);
    text->count--;
    return line;
}

/* Fills an empty text with the lines of a file. A last line needs no newline. */
void text_load(struct text *text, const char *bytes, size_t length)
{
    size_t start = 0;
    while (start < length) {
        size_t end = start;
        while (end < length && bytes[end] != '\n')
            end++;
        struct line line = {copy_bytes(bytes + start, end - start), ++text->last_id};
        put_line(text, text->count + 1, line);
        start = end + 1;
    }
}

const char *text_words(const struct text *text, size_t number)
{
    return text->lines[number - 1].words;
}

/* The number of the line with an id, or 0 if it is gone. */
size_t text_find_id(const struct text *text, unsigned long id)
{
    for (size_t i = 0; i < text->count; i++)
        if (text->lines[i].id == id)
            return i + 1;
    return 0;
}

/* Writes a copy of a line that came or went to the open step. */
static void note_edit(struct text *text, bool added, size_t number, struct line line)
{
    struct step *step = &text->journal.open;
    step->edits = grow(step->edits, step->count + 1, sizeof *step->edits);
    struct line copy = {copy_string(line.words), line.id};
    step->edits[step->count++] = (struct edit){added, number, copy};
}

/* Puts a line that has an id at a number. The text owns its words. */
void text_insert_line(struct text *text, size_t number, struct line line)
{
    put_line(text, number, line);
    note_edit(text, true, number, line);
}

/* Puts a new line at a number. */
void text_insert(struct text *text, size_t number, const char *words)
{
    struct line line = {copy_string(words), ++text->last_id};
    text_insert_line(text, number, line);
}

/* Takes a line out. The caller owns its words. */
struct line text_take(struct text *text, size_t number)
{
    struct line line = cut_line(text, number);
    note_edit(text, false, number, line);
    return line;
}

/* Deletes the lines `first` to `last`. */
void text_delete(struct text *text, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++)
        free(text_take(text, first).words);
}

/* Gives a line other words. Its id stays, so that marks stay. */
void text_replace(struct text *text, size_t number, const char *words)
{
    struct line line = text_take(text, number);
    struct line changed = {copy_string(words), line.id};
    free(line.words);
    text_insert_line(text, number, changed);
}

/* Opens the step of a command, with the current line before it. */
void step_begin(struct text *text, const char *command, size_t current)
{
    free_step(&text->journal.open);
    text->journal.open = (struct step){copy_string(command), NULL, 0, current, current};
}

/* Forgets the steps that are undone. */
static void drop_undone(struct journal *journal)
{
    while (journal->count > journal->done)
        free_step(&journal->steps[--journal->count]);
}

/* Closes the open step. It goes to the journal if it changed anything; then nothing can be redone. */
void step_end(struct text *text, size_t current)
{
    struct journal *journal = &text->journal;
    if (journal->open.count == 0)
        return;
    drop_undone(journal);
    journal->open.after = current;
    journal->steps = grow(journal->steps, journal->count + 1, sizeof *journal->steps);
    journal->steps[journal->count++] = journal->open;
    journal->done = journal->count;
    journal->open = (struct step){NULL, NULL, 0, 0, 0};
}

/* Does an edit (`forward`) or takes it back. */
static void apply_edit(struct text *text, const struct edit *edit, bool forward)
{
    if (edit->added == forward) {
        struct line copy = {copy_string(edit->line.words), edit->line.id};
        put_line(text, edit->at, copy);
    } else {
        free(cut_line(text, edit->at).words);
    }
}

/* Takes back what the open step changed, and forgets it. */
void step_cancel(struct text *text)
{
    struct step *step = &text->journal.open;
    for (size_t i = step->count; i > 0; i--)
        apply_edit(text, &step->edits[i - 1], false);
    free_step(step);
    *step = (struct step){NULL, NULL, 0, 0, 0};
}

/* Takes the last step back. False if there is none. */
bool step_undo(struct text *text, size_t *current)
{
    struct journal *journal = &text->journal;
    if (journal->done == 0)
        return false;
    const struct step *step = &journal->steps[--journal->done];
    for (size_t i = step->count; i > 0; i--)
        apply_edit(text, &step->edits[i - 1], false);
    *current = step->before;
    return true;
}

/* Does the step again that was undone last. False if there is none. */
bool step_redo(struct text *text, size_t *current)
{
    struct journal *journal = &text->journal;
    if (journal->done == journal->count)
        return false;
    const struct step *step = &journal->steps[journal->done++];
    for (size_t i = 0; i < step->count; i++)
        apply_edit(text, &step->edits[i], true);
    *current = step->after;
    return true;
}

/* How many lines a step added, or took away. */
size_t step_lines(const struct step *step, bool added)
{
    size_t lines = 0;
    for (size_t i = 0; i < step->count; i++)
        if (step->edits[i].added == added)
            lines++;
    return lines;
}
