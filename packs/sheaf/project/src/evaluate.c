#include "arena.h"
#include "sheet.h"

#include <string.h>

/* The value of a cell. A cell that is needed for itself is `#CYCLE`. */
struct value cell_value(const struct sheet *sheet, struct place place)
{
    struct cell *cell = sheet_find(sheet, place);
    if (cell == NULL)
        return (struct value){.kind = EMPTY};
    if (cell->state == BUSY)
        return value_fault(FAULT_CYCLE);
    if (cell->state == FRESH) {
        cell->state = BUSY;
        cell->value = evaluate(sheet, cell->formula);
        if (cell->value.kind == EMPTY)
            cell->value = value_number(0);
        cell->state = DONE;
    }
    return cell->value;
}

/* The area that a part of a formula stands for. False if it stands for none. */
bool node_area(const struct sheet *sheet, const struct node *node, struct area *area)
{
    if (node->kind == NODE_AREA) {
        *area = node->area;
        return true;
    }
    const struct name *name = node->kind == NODE_NAME ? sheet_name(sheet, node->word) : NULL;
    if (name != NULL)
        *area = name->area;
    return name != NULL;
}

/* The value of an area: that of its only cell. */
static struct value area_value(const struct sheet *sheet, struct area area)
{
    if (place_order(area.first, area.last) != 0)
        return value_fault(FAULT_VALUE);
    return cell_value(sheet, area.first);
}

/* Calculates with two numbers. */
static struct value calculate(char operator, number left, number right)
{
    number found = 0;
    switch (operator) {
    case '+': return value_checked(number_add(left, right, &found), &found);
    case '-': return value_checked(number_add(left, -right, &found), &found);
    case '*': return value_checked(number_multiply(left, right, &found), &found);
    case '^': return value_checked(number_power(left, right, &found), &found);
    default: break;
    }
    if (right == 0)
        return value_fault(FAULT_DIV);
    return value_checked(number_divide(left, right, &found), &found);
}

/* Compares two values. Only `=` and `<>` may compare different kinds. */
static struct value compare(const char *operator, struct value left, struct value right)
{
    int order = 0;
    if (strcmp(operator, "=") == 0)
        return value_bool(value_same(left, right));
    if (strcmp(operator, "<>") == 0)
        return value_bool(!value_same(left, right));
    if (!value_order(left, right, &order))
        return value_fault(FAULT_VALUE);
    if (order == 0)
        return value_bool(operator[1] == '=');
    return value_bool(order < 0 ? *operator == '<' : *operator == '>');
}

/* Puts two values together as one text. */
static struct value join(struct value left, struct value right)
{
    const char *one = value_show(left), *other = value_show(right);
    size_t length = strlen(one);
    char *text = arena_get(length + strlen(other) + 1);
    strcpy(text, one);
    strcpy(text + length, other);
    return value_text(text);
}

/* The value of an operator. The right side is not looked at if the left one is a fault. */
static struct value evaluate_operator(const struct sheet *sheet, const struct node *node)
{
    struct value left = evaluate(sheet, node->parts[0]);
    if (left.kind == FAULT)
        return left;
    struct value right = evaluate(sheet, node->parts[1]);
    if (right.kind == FAULT)
        return right;
    if (*node->word == '&')
        return join(left, right);
    if (strchr("<>=", *node->word) != NULL)
        return compare(node->word, left, right);
    bool is_good = (left.kind == NUMBER || left.kind == EMPTY) && (right.kind == NUMBER || right.kind == EMPTY);
    return is_good ? calculate(*node->word, left.number, right.number) : value_fault(FAULT_VALUE);
}

static struct value negate(struct value value)
{
    if (value.kind == FAULT)
        return value;
    if (value.kind != NUMBER && value.kind != EMPTY)
        return value_fault(FAULT_VALUE);
    return value_number(-value.number);
}

/* The value of a part of a formula. */
struct value evaluate(const struct sheet *sheet, const struct node *node)
{
    struct area area;
    switch (node->kind) {
    case NODE_VALUE: return node->value;
    case NODE_OPERATOR: return evaluate_operator(sheet, node);
    case NODE_NEGATE: return negate(evaluate(sheet, node->parts[0]));
    case NODE_CALL: return call_function(sheet, node);
    case NODE_AREA:
    case NODE_NAME: break;
    }
    if (!node_area(sheet, node, &area))
        return value_fault(FAULT_NAME);
    return area_value(sheet, area);
}
