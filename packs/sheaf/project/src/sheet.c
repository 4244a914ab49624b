#include "sheet.h"

#include "arena.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a place is among the cells, or would be. */
static size_t cell_index(const struct sheet *sheet, struct place place)
{
    size_t low = 0, high = sheet->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (place_order(sheet->cells[middle].place, place) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The cell at a place, or NULL if it is empty. */
struct cell *sheet_find(const struct sheet *sheet, struct place place)
{
    size_t index = cell_index(sheet, place);
    if (index == sheet->count || place_order(sheet->cells[index].place, place) != 0)
        return NULL;
    return &sheet->cells[index];
}

/* Adds an empty cell. NULL if there is one at the place. */
static struct cell *add_cell(struct sheet *sheet, struct place place)
{
    if (sheet_find(sheet, place) != NULL)
        return NULL;
    if (sheet->count == sheet->room) {
        size_t room = sheet->room == 0 ? 16 : sheet->room * 2;
        struct cell *cells = arena_get(room * sizeof *cells);
        if (sheet->count > 0)
            memcpy(cells, sheet->cells, sheet->count * sizeof *cells);
        sheet->cells = cells;
        sheet->room = room;
    }
    struct cell *cell = &sheet->cells[cell_index(sheet, place)];
    memmove(cell + 1, cell, (size_t)(sheet->cells + sheet->count - cell) * sizeof *cell);
    sheet->count++;
    *cell = (struct cell){.place = place};
    return cell;
}

/* The name with a word, or NULL. */
const struct name *sheet_name(const struct sheet *sheet, const char *word)
{
    for (size_t i = 0; i < sheet->name_count; i++)
        if (strcmp(sheet->names[i].word, word) == 0)
            return &sheet->names[i];
    return NULL;
}

/* The area from A1 to the last row and the last column that have cells. */
struct area sheet_used(const struct sheet *sheet)
{
    struct area area = {{1, 1}, {1, 1}};
    for (size_t i = 0; i < sheet->count; i++) {
        struct place place = sheet->cells[i].place;
        if (place.column > area.last.column)
            area.last.column = place.column;
        if (place.row > area.last.row)
            area.last.row = place.row;
    }
    return area;
}

/* Cuts blanks at both ends of a text. */
static char *trim(char *text)
{
    char *end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    return text + strspn(text, " \t");
}

/* Whether a word may be a name: small letters, digits and `_`, with a letter first. */
static bool is_name(const char *word)
{
    if (!islower((unsigned char)*word))
        return false;
    for (; *word != '\0'; word++)
        if (!islower((unsigned char)*word) && !isdigit((unsigned char)*word) && *word != '_')
            return false;
    return true;
}

/* Reads `WORD AREA` behind an `@`. NULL, or what is wrong. */
static const char *load_name(struct sheet *sheet, char *line)
{
    struct name name;
    char *space = strpbrk(line, " \t");
    if (space == NULL)
        return "an area was expected";
    *space = '\0';
    if (!is_name(line))
        return "that is no name";
    if (sheet_name(sheet, line) != NULL)
        return "the name is there already";
    if (!area_read(trim(space + 1), &name.area))
        return "an area was expected";
    name.word = arena_text(line, strlen(line));
    struct name *names = arena_get((sheet->name_count + 1) * sizeof *names);
    if (sheet->name_count > 0)
        memcpy(names, sheet->names, sheet->name_count * sizeof *names);
    names[sheet->name_count++] = name;
    sheet->names = names;
    return NULL;
}

/* Whether a whole text is a number, perhaps with a sign. */
static bool is_number(const char *text, number *value)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    if (!number_read(&text, value) || *text != '\0')
        return false;
    if (negative)
        *value = -*value;
    return true;
}

/* The value of a content that is no formula: a number, a truth, or a text, perhaps in quotes. */
static struct value plain_value(const char *content)
{
    number value;
    size_t length = strlen(content);
    if (is_number(content, &value))
        return value_number(value);
    if (strcmp(content, "TRUE") == 0 || strcmp(content, "FALSE") == 0)
        return value_bool(*content == 'T');
    if (length >= 2 && *content == '"' && content[length - 1] == '"')
        return value_text(arena_text(content + 1, length - 2));
    return value_text(content);
}

/* Reads `PLACE: CONTENT`. NULL, or what is wrong. */
static const char *load_cell(struct sheet *sheet, char *line)
{
    struct place place;
    const char *problem = NULL;
    char *colon = strchr(line, ':');
    if (colon == NULL)
        return "a ':' was expected";
    *colon = '\0';
    if (!place_read(trim(line), &place))
        return "that is no cell";
    char *content = trim(colon + 1);
    if (*content == '\0')
        return "the cell has no content";
    struct cell *cell = add_cell(sheet, place);
    if (cell == NULL)
        return "the cell is there already";
    cell->source = arena_text(content, strlen(content));
    if (*content == '=') {
        cell->formula = parse_formula(cell->source + 1, &problem);
        return problem;
    }
    cell->value = plain_value(cell->source);
    cell->state = DONE;
    return NULL;
}

/* Fills a sheet from its text. False if a line is faulty; then `problem` (of 128 bytes) says which. */
bool sheet_load(struct sheet *sheet, char *text, char *problem)
{
    for (int number = 1; text != NULL; number++) {
        char *end = strchr(text, '\n');
        if (end != NULL)
            *end = '\0';
        char *line = trim(text);
        const char *wrong = NULL;
        if (*line == '@')
            wrong = load_name(sheet, line + 1);
        else if (*line != '\0' && *line != '#')
            wrong = load_cell(sheet, line);
        if (wrong != NULL) {
            sprintf(problem, "line %d: %s", number, wrong);
            return false;
        }
        text = end == NULL ? NULL : end + 1;
    }
    return true;
}
