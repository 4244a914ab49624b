/* Places of cells: columns A to ZZ and rows 1 to 999. */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>

enum { COLUMNS = 702, ROWS = 999 };

struct place {
    int column;
    int row;
};

/* A rectangle with both corners in it. */
struct area {
    struct place first;
    struct place last;
};

/* A place in a formula; `$` fixes its column or row when the formula is copied. */
struct reference {
    struct place place;
    bool fixed_column;
    bool fixed_row;
};

bool reference_read(const char **source, struct reference *reference);
bool place_read(const char *word, struct place *place);
bool area_read(const char *word, struct area *area);
void place_print(struct place place, char *out);
void column_print(int column, char *out);
void area_print(struct area area, char *out);
int place_order(struct place left, struct place right);
struct area area_of(struct place one, struct place other);
bool area_has(struct area area, struct place place);

#endif
