#include "value.h"

#include "arena.h"

#include <string.h>

static const char *const FAULT_NAMES[FAULTS] = {"#CYCLE", "#DIV", "#NA", "#NAME", "#NUM", "#REF", "#VALUE"};
static const char *const KIND_NAMES[] = {"empty", "number", "text", "bool", "fault"};

struct value value_number(number number)
{
    return (struct value){.kind = NUMBER, .number = number};
}

struct value value_text(const char *text)
{
    return (struct value){.kind = TEXT, .text = text};
}

struct value value_bool(bool is_true)
{
    return (struct value){.kind = BOOL, .number = is_true};
}

struct value value_fault(enum fault fault)
{
    return (struct value){.kind = FAULT, .fault = fault};
}

/* A number, or `#NUM` if it is not good. */
struct value value_checked(bool is_good, const number *number)
{
    return is_good ? value_number(*number) : value_fault(FAULT_NUM);
}

const char *kind_name(enum kind kind)
{
    return KIND_NAMES[kind];
}

const char *fault_name(enum fault fault)
{
    return FAULT_NAMES[fault];
}

/* The text of a value, as it is printed. */
const char *value_show(struct value value)
{
    char out[32];
    switch (value.kind) {
    case EMPTY: return "";
    case TEXT: return value.text;
    case BOOL: return value.number ? "TRUE" : "FALSE";
    case FAULT: return fault_name(value.fault);
    case NUMBER: break;
    }
    number_print(value.number, out);
    return arena_text(out, strlen(out));
}

/* An empty value as the kind of another one: 0, an empty text, or FALSE. */
static struct value filled(struct value value, enum kind kind)
{
    if (value.kind != EMPTY || kind == EMPTY)
        return value;
    return kind == TEXT ? value_text("") : kind == BOOL ? value_bool(false) : value_number(0);
}

/* Compares two values of one kind: below 0, 0 or above. False if their kinds differ. */
bool value_order(struct value left, struct value right, int *order)
{
    left = filled(left, right.kind);
    right = filled(right, left.kind);
    if (left.kind != right.kind)
        return false;
    if (left.kind == TEXT)
        *order = strcmp(left.text, right.text);
    else
        *order = (left.number > right.number) - (left.number < right.number);
    return true;
}

/* Whether two values are equal. Values of different kinds are not. */
bool value_same(struct value left, struct value right)
{
    int order;
    return value_order(left, right, &order) && order == 0;
}
