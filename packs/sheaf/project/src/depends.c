#include "arena.h"
#include "sheet.h"

#include <ctype.h>
#include <string.h>

/* Adds the areas of a formula, in their order and each once. Gives how many there are then. */
size_t list_areas(const struct sheet *sheet, const struct node *node, struct area *areas, size_t count)
{
    struct area area;
    if (node == NULL)
        return count;
    for (int i = 0; i < node->count; i++)
        count = list_areas(sheet, node->parts[i], areas, count);
    if (!node_area(sheet, node, &area) || count == MOST_AREAS)
        return count;
    for (size_t i = 0; i < count; i++)
        if (place_order(areas[i].first, area.first) == 0 && place_order(areas[i].last, area.last) == 0)
            return count;
    areas[count] = area;
    return count + 1;
}

/* Whether a cell names a place in its formula. */
bool cell_needs(const struct sheet *sheet, const struct cell *cell, struct place place)
{
    struct area areas[MOST_AREAS];
    size_t count = list_areas(sheet, cell->formula, areas, 0);
    for (size_t i = 0; i < count; i++)
        if (area_has(areas[i], place))
            return true;
    return false;
}

/* Marks the cells that need a place, be it through others. */
void mark_users(const struct sheet *sheet, struct place place, bool *is_user)
{
    for (size_t i = 0; i < sheet->count; i++) {
        if (is_user[i] || !cell_needs(sheet, &sheet->cells[i], place))
            continue;
        is_user[i] = true;
        mark_users(sheet, sheet->cells[i].place, is_user);
    }
}

/* Whether a cell needs none of the cells that are left. */
static bool is_ready(const struct sheet *sheet, const struct cell *cell, const bool *is_left)
{
    for (size_t i = 0; i < sheet->count; i++)
        if (is_left[i] && cell_needs(sheet, cell, sheet->cells[i].place))
            return false;
    return true;
}

/* Puts the cells in an order in which each comes behind those that it needs: always the first that is ready. Those
   that are left cannot be ordered. Gives how many are ordered. */
size_t sort_cells(const struct sheet *sheet, struct cell **order, bool *is_left)
{
    size_t count = 0, i = 0;
    for (size_t k = 0; k < sheet->count; k++)
        is_left[k] = true;
    while (i < sheet->count) {
        if (!is_left[i] || !is_ready(sheet, &sheet->cells[i], is_left)) {
            i++;
            continue;
        }
        is_left[i] = false;
        order[count++] = &sheet->cells[i];
        i = 0;
    }
    return count;
}

/* Writes a reference moved by some columns and rows, or `#REF` if it is outside then. Gives the end. */
static char *write_moved(char *out, struct reference reference, int columns, int rows)
{
    struct place place = reference.place;
    place.column += reference.fixed_column ? 0 : columns;
    place.row += reference.fixed_row ? 0 : rows;
    if (place.column < 1 || place.column > COLUMNS || place.row < 1 || place.row > ROWS) {
        strcpy(out, "#REF");
        return out + 4;
    }
    if (reference.fixed_column)
        *out++ = '$';
    column_print(place.column, out);
    out += strlen(out);
    if (reference.fixed_row)
        *out++ = '$';
    char row[16];
    place_print((struct place){1, place.row}, row);
    strcpy(out, row + 1);
    return out + strlen(out);
}

/* The content of a cell as it is when it is copied: the references move with it, but those that are fixed. */
const char *copy_formula(const char *source, struct place from, struct place to)
{
    char *copy = arena_get(strlen(source) * 8 + 1), *out = copy;
    bool in_text = false, in_word = false;
    if (*source != '=')
        return source;
    while (*source != '\0') {
        struct reference reference;
        if (*source == '"')
            in_text = !in_text;
        if (!in_text && !in_word && reference_read(&source, &reference)) {
            out = write_moved(out, reference, to.column - from.column, to.row - from.row);
            continue;
        }
        in_word = isalnum((unsigned char)*source) || *source == '_' || *source == '#';
        *out++ = *source++;
    }
    return copy;
}
