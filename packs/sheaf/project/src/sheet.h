/* The sheet: cells in the order of their places, and names of areas. */
#ifndef SHEET_H
#define SHEET_H

#include "place.h"
#include "value.h"

#include <stddef.h>

enum node_kind { NODE_VALUE, NODE_AREA, NODE_NAME, NODE_OPERATOR, NODE_NEGATE, NODE_CALL };

enum { MOST_PARTS = 16 };

/* A part of a formula. Operators have two parts, calls have the arguments. */
struct node {
    enum node_kind kind;
    struct value value;
    struct area area;
    const char *word;
    struct node *parts[MOST_PARTS];
    int count;
};

enum state { FRESH, BUSY, DONE };

struct cell {
    struct place place;
    const char *source;
    struct node *formula;
    struct value value;
    enum state state;
};

struct name {
    const char *word;
    struct area area;
};

struct sheet {
    struct cell *cells;
    size_t count;
    size_t room;
    struct name *names;
    size_t name_count;
};

/* sheet.c */
bool sheet_load(struct sheet *sheet, char *text, char *problem);
struct cell *sheet_find(const struct sheet *sheet, struct place place);
const struct name *sheet_name(const struct sheet *sheet, const char *word);
struct area sheet_used(const struct sheet *sheet);

/* parser.c */
struct node *parse_formula(const char *source, const char **problem);

/* evaluate.c */
struct value cell_value(const struct sheet *sheet, struct place place);
struct value evaluate(const struct sheet *sheet, const struct node *node);
bool node_area(const struct sheet *sheet, const struct node *node, struct area *area);

/* functions.c and lookups.c */
struct value call_function(const struct sheet *sheet, const struct node *call);
struct value call_lookup(const struct sheet *sheet, const struct node *call);
struct value call_count_if(const struct sheet *sheet, const struct node *call);
struct value call_sum_if(const struct sheet *sheet, const struct node *call);
struct value call_index(const struct sheet *sheet, const struct node *call);
struct value call_match(const struct sheet *sheet, const struct node *call);

/* depends.c */
bool cell_needs(const struct sheet *sheet, const struct cell *cell, struct place place);
size_t list_areas(const struct sheet *sheet, const struct node *node, struct area *areas, size_t count);
void mark_users(const struct sheet *sheet, struct place place, bool *is_user);
size_t sort_cells(const struct sheet *sheet, struct cell **order, bool *is_left);
const char *copy_formula(const char *source, struct place from, struct place to);

enum { MOST_AREAS = 200 };

#endif
