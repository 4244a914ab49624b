#include "sheet.h"

#include <string.h>

static int area_width(struct area area)
{
    return area.last.column - area.first.column + 1;
}

static int area_height(struct area area)
{
    return area.last.row - area.first.row + 1;
}

/* The place in an area with an index from 0: along the rows, from the first one. */
static struct place area_place(struct area area, int index)
{
    int width = area_width(area);
    return (struct place){area.first.column + index % width, area.first.row + index / width};
}

/* Looks for a value in an area. Gives the index from 0, or -1; `fault` is what ended it. */
static int seek_value(const struct sheet *sheet, struct area area, struct value wanted, struct value *fault)
{
    int count = area_width(area) * area_height(area);
    *fault = value_fault(FAULT_NA);
    for (int i = 0; i < count; i++) {
        struct value value = cell_value(sheet, area_place(area, i));
        if (value.kind == FAULT) {
            *fault = value;
            return -1;
        }
        if (value.kind != EMPTY && value_same(value, wanted))
            return i;
    }
    return -1;
}

/* LOOKUP(value, area, area): what is in the second area where the value is in the first. */
struct value call_lookup(const struct sheet *sheet, const struct node *call)
{
    struct area keys, values;
    struct value fault, wanted = evaluate(sheet, call->parts[0]);
    if (wanted.kind == FAULT)
        return wanted;
    if (!node_area(sheet, call->parts[1], &keys) || !node_area(sheet, call->parts[2], &values))
        return value_fault(FAULT_VALUE);
    int index = seek_value(sheet, keys, wanted, &fault);
    if (index < 0)
        return fault;
    if (index >= area_width(values) * area_height(values))
        return value_fault(FAULT_REF);
    return cell_value(sheet, area_place(values, index));
}

/* MATCH(value, area): where the value is in the area, from 1. */
struct value call_match(const struct sheet *sheet, const struct node *call)
{
    struct area area;
    struct value fault, wanted = evaluate(sheet, call->parts[0]);
    if (wanted.kind == FAULT)
        return wanted;
    if (!node_area(sheet, call->parts[1], &area))
        return value_fault(FAULT_VALUE);
    int index = seek_value(sheet, area, wanted, &fault);
    return index < 0 ? fault : value_number((index + 1) * ONE);
}

/* INDEX(area, row, column): the value in the area at a row and a column (1), from 1. */
struct value call_index(const struct sheet *sheet, const struct node *call)
{
    struct area area;
    struct value row = evaluate(sheet, call->parts[1]);
    struct value column = value_number(ONE);
    if (row.kind == FAULT)
        return row;
    if (call->count == 3)
        column = evaluate(sheet, call->parts[2]);
    if (column.kind == FAULT)
        return column;
    if (!node_area(sheet, call->parts[0], &area) || row.kind != NUMBER || column.kind != NUMBER)
        return value_fault(FAULT_VALUE);
    if (row.number % ONE != 0 || column.number % ONE != 0)
        return value_fault(FAULT_VALUE);
    number down = row.number / ONE, right = column.number / ONE;
    if (down < 1 || down > area_height(area) || right < 1 || right > area_width(area))
        return value_fault(FAULT_REF);
    return cell_value(sheet, (struct place){area.first.column + (int)right - 1, area.first.row + (int)down - 1});
}

/* A condition: an operator and a value. */
struct condition {
    const char *operator;
    struct value value;
};

/* Makes a condition of a value: a text may begin with an operator; a number behind it is one. */
static struct condition read_condition(struct value value)
{
    static const char *const OPERATORS[] = {"<>", "<=", ">=", "<", ">", "="};
    struct condition condition = {"=", value};
    if (value.kind != TEXT)
        return condition;
    const char *rest = value.text;
    for (int i = 0; i < 6; i++) {
        size_t length = strlen(OPERATORS[i]);
        if (strncmp(rest, OPERATORS[i], length) == 0) {
            condition.operator = OPERATORS[i];
            rest += length;
            break;
        }
    }
    condition.value = value_text(rest);
    bool negative = *rest == '-';
    const char *at = negative ? rest + 1 : rest;
    number found;
    if (number_read(&at, &found) && *at == '\0')
        condition.value = value_number(negative ? -found : found);
    return condition;
}

/* Whether a value is as a condition says. Values of another kind are only `<>`. */
static bool fulfils(const struct condition *condition, struct value value)
{
    int order;
    bool is_other = value.kind != condition->value.kind || !value_order(value, condition->value, &order);
    if (strcmp(condition->operator, "<>") == 0)
        return is_other || order != 0;
    if (is_other)
        return false;
    if (order == 0)
        return strchr(condition->operator, '=') != NULL;
    return *condition->operator == (order < 0 ? '<' : '>');
}

/* Counts the cells of an area that fulfil a condition, and sums the numbers at their places in another one. */
static struct value fold_if(const struct sheet *sheet, struct area area, struct area summed, struct value wanted,
                            number *count, number *sum)
{
    struct condition condition = read_condition(wanted);
    for (int i = 0; i < area_width(area) * area_height(area); i++) {
        struct value value = cell_value(sheet, area_place(area, i));
        if (value.kind == FAULT)
            return value;
        if (value.kind == EMPTY || !fulfils(&condition, value))
            continue;
        ++*count;
        struct place place = area_place(area, i);
        place.column += summed.first.column - area.first.column;
        place.row += summed.first.row - area.first.row;
        value = cell_value(sheet, place);
        if (value.kind == FAULT)
            return value;
        if (value.kind == NUMBER && !number_add(*sum, value.number, sum))
            return value_fault(FAULT_NUM);
    }
    return value_bool(true);
}

/* COUNTIF(area, condition) */
struct value call_count_if(const struct sheet *sheet, const struct node *call)
{
    struct area area;
    number count = 0, sum = 0;
    struct value wanted = evaluate(sheet, call->parts[1]);
    if (wanted.kind == FAULT)
        return wanted;
    if (!node_area(sheet, call->parts[0], &area))
        return value_fault(FAULT_VALUE);
    struct value fault = fold_if(sheet, area, area, wanted, &count, &sum);
    return fault.kind == FAULT ? fault : value_number(count * ONE);
}

/* SUMIF(area, condition, area): the sum of the second area (the first one) where the first fulfils the condition. */
struct value call_sum_if(const struct sheet *sheet, const struct node *call)
{
    struct area area, summed;
    number count = 0, sum = 0;
    struct value wanted = evaluate(sheet, call->parts[1]);
    if (wanted.kind == FAULT)
        return wanted;
    if (!node_area(sheet, call->parts[0], &area) || !node_area(sheet, call->parts[call->count == 3 ? 2 : 0], &summed))
        return value_fault(FAULT_VALUE);
    struct value fault = fold_if(sheet, area, summed, wanted, &count, &sum);
    return fault.kind == FAULT ? fault : value_number(sum);
}
