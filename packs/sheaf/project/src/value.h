/* Values of cells. */
#ifndef VALUE_H
#define VALUE_H

#include "number.h"

enum kind { EMPTY, NUMBER, TEXT, BOOL, FAULT };

enum fault { FAULT_CYCLE, FAULT_DIV, FAULT_NA, FAULT_NAME, FAULT_NUM, FAULT_REF, FAULT_VALUE, FAULTS };

struct value {
    enum kind kind;
    number number;
    const char *text;
    enum fault fault;
};

struct value value_number(number number);
struct value value_text(const char *text);
struct value value_bool(bool is_true);
struct value value_fault(enum fault fault);
struct value value_checked(bool is_good, const number *number);
const char *value_show(struct value value);
const char *kind_name(enum kind kind);
const char *fault_name(enum fault fault);
bool value_same(struct value left, struct value right);
bool value_order(struct value left, struct value right, int *order);

#endif
