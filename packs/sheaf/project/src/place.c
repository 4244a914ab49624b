#include "place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Reads one or two capital letters as a column from 1. 0 if there are none, or more. */
static int read_column(const char **source)
{
    int column = 0;
    for (int i = 0; i < 2 && isupper((unsigned char)**source); i++)
        column = column * 26 + (*(*source)++ - 'A' + 1);
    return isupper((unsigned char)**source) ? 0 : column;
}

/* Reads a row from 1 to 999, which does not begin with 0. 0 if there is none. */
static int read_row(const char **source)
{
    int row = 0;
    if (**source == '0')
        return 0;
    while (isdigit((unsigned char)**source) && row <= ROWS)
        row = row * 10 + (*(*source)++ - '0');
    return row > ROWS ? 0 : row;
}

/* Reads a reference such as `B2` or `$B$2`. The source stays if there is none. */
bool reference_read(const char **source, struct reference *reference)
{
    const char *at = *source;
    reference->fixed_column = *at == '$';
    if (reference->fixed_column)
        at++;
    reference->place.column = read_column(&at);
    reference->fixed_row = *at == '$';
    if (reference->fixed_row)
        at++;
    reference->place.row = read_row(&at);
    if (reference->place.column == 0 || reference->place.row == 0 || isalnum((unsigned char)*at) || *at == '_' ||
        *at == '(')
        return false;
    *source = at;
    return true;
}

/* Reads a whole word as a place without `$`. */
bool place_read(const char *word, struct place *place)
{
    struct reference reference;
    if (!reference_read(&word, &reference) || *word != '\0')
        return false;
    *place = reference.place;
    return !reference.fixed_column && !reference.fixed_row;
}

/* Reads a whole word as a place or as two with `:`. */
bool area_read(const char *word, struct area *area)
{
    struct reference first, last;
    if (!reference_read(&word, &first))
        return false;
    last = first;
    if (*word == ':') {
        word++;
        if (!reference_read(&word, &last))
            return false;
    }
    *area = area_of(first.place, last.place);
    return *word == '\0';
}

/* Writes the letters of a column. */
void column_print(int column, char *out)
{
    if (column > 26)
        *out++ = (char)('A' + (column - 1) / 26 - 1);
    *out++ = (char)('A' + (column - 1) % 26);
    *out = '\0';
}

/* Writes a place. `out` has room for 16 bytes. */
void place_print(struct place place, char *out)
{
    column_print(place.column, out);
    sprintf(out + strlen(out), "%d", place.row);
}

/* Writes an area: a place if it has one cell. `out` has room for 32 bytes. */
void area_print(struct area area, char *out)
{
    place_print(area.first, out);
    if (place_order(area.first, area.last) == 0)
        return;
    strcat(out, ":");
    place_print(area.last, out + strlen(out));
}

/* The order of places: by rows, then by columns. */
int place_order(struct place left, struct place right)
{
    return left.row != right.row ? left.row - right.row : left.column - right.column;
}

/* The area between two corners, which may be any two. */
struct area area_of(struct place one, struct place other)
{
    struct area area = {one, other};
    if (one.column > other.column) {
        area.first.column = other.column;
        area.last.column = one.column;
    }
    if (one.row > other.row) {
        area.first.row = other.row;
        area.last.row = one.row;
    }
    return area;
}

bool area_has(struct area area, struct place place)
{
    return place.column >= area.first.column && place.column <= area.last.column && place.row >= area.first.row &&
           place.row <= area.last.row;
}
