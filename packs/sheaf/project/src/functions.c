#include "arena.h"
#include "sheet.h"

#include <ctype.h>
#include <string.h>

/* A function with how many arguments it takes. */
struct function {
    const char *word;
    int least;
    int most;
    struct value (*call)(const struct sheet *sheet, const struct node *call);
};

/* What numbers come to. */
struct fold {
    __int128 sum;
    number least;
    number largest;
    int count;
};

static void fold_number(struct fold *fold, number value)
{
    if (fold->count == 0 || value < fold->least)
        fold->least = value;
    if (fold->count == 0 || value > fold->largest)
        fold->largest = value;
    fold->sum += value;
    fold->count++;
}

/* Folds the numbers of an area. Other values are skipped; a fault ends it and is given. */
static struct value fold_area(const struct sheet *sheet, struct area area, struct fold *fold)
{
    for (size_t i = 0; i < sheet->count; i++) {
        if (!area_has(area, sheet->cells[i].place))
            continue;
        struct value value = cell_value(sheet, sheet->cells[i].place);
        if (value.kind == FAULT)
            return value;
        if (value.kind == NUMBER)
            fold_number(fold, value.number);
    }
    return value_bool(true);
}

/* Folds all arguments: the numbers of areas, and values that must be numbers. A fault is given. */
static struct value fold_call(const struct sheet *sheet, const struct node *call, struct fold *fold)
{
    *fold = (struct fold){0, 0, 0, 0};
    for (int i = 0; i < call->count; i++) {
        struct area area;
        struct value value;
        if (node_area(sheet, call->parts[i], &area)) {
            value = fold_area(sheet, area, fold);
        } else {
            value = evaluate(sheet, call->parts[i]);
            if (value.kind == NUMBER)
                fold_number(fold, value.number);
            else if (value.kind != FAULT)
                value = value_fault(FAULT_VALUE);
        }
        if (value.kind == FAULT)
            return value;
    }
    return value_bool(true);
}

/* A sum as a value, or `#NUM` if it is too large. */
static struct value sum_value(__int128 sum)
{
    if (sum > LARGEST || sum < -LARGEST)
        return value_fault(FAULT_NUM);
    return value_number((number)sum);
}

static struct value call_sum(const struct sheet *sheet, const struct node *call)
{
    struct fold fold;
    struct value fault = fold_call(sheet, call, &fold);
    return fault.kind == FAULT ? fault : sum_value(fold.sum);
}

static struct value call_count(const struct sheet *sheet, const struct node *call)
{
    struct fold fold;
    struct value fault = fold_call(sheet, call, &fold);
    return fault.kind == FAULT ? fault : value_number(fold.count * ONE);
}

/* The mean. Without numbers it is `#DIV`. */
static struct value call_avg(const struct sheet *sheet, const struct node *call)
{
    struct fold fold;
    struct value fault = fold_call(sheet, call, &fold);
    if (fault.kind == FAULT)
        return fault;
    if (fold.count == 0)
        return value_fault(FAULT_DIV);
    struct value sum = sum_value(fold.sum);
    number mean = 0;
    if (sum.kind == FAULT)
        return sum;
    return value_checked(number_divide(sum.number, fold.count * ONE, &mean), &mean);
}

static struct value call_min(const struct sheet *sheet, const struct node *call)
{
    struct fold fold;
    struct value fault = fold_call(sheet, call, &fold);
    return fault.kind == FAULT ? fault : value_number(fold.least);
}

static struct value call_max(const struct sheet *sheet, const struct node *call)
{
    struct fold fold;
    struct value fault = fold_call(sheet, call, &fold);
    return fault.kind == FAULT ? fault : value_number(fold.largest);
}

/* An argument as a number; a missing one is the usual number. False with a fault if it is none. */
static bool number_part(const struct sheet *sheet, const struct node *call, int index, number usual,
                        struct value *found)
{
    *found = value_number(usual);
    if (index < call->count)
        *found = evaluate(sheet, call->parts[index]);
    if (found->kind == EMPTY)
        *found = value_number(0);
    if (found->kind != NUMBER && found->kind != FAULT)
        *found = value_fault(FAULT_VALUE);
    return found->kind == NUMBER;
}

/* An argument as a whole number from `least` to `most`. */
static bool whole_part(const struct sheet *sheet, const struct node *call, int index, int usual, int least, int most,
                       struct value *found)
{
    if (!number_part(sheet, call, index, usual * ONE, found))
        return false;
    if (found->number % ONE != 0 || found->number < least * ONE || found->number > most * ONE)
        *found = value_fault(FAULT_VALUE);
    return found->kind == NUMBER;
}

static struct value call_abs(const struct sheet *sheet, const struct node *call)
{
    struct value value;
    if (number_part(sheet, call, 0, 0, &value) && value.number < 0)
        value.number = -value.number;
    return value;
}

/* The largest multiple of the step (1) that is not larger. */
static struct value call_floor(const struct sheet *sheet, const struct node *call)
{
    struct value value, step;
    if (!number_part(sheet, call, 0, 0, &value))
        return value;
    if (!number_part(sheet, call, 1, ONE, &step))
        return step;
    if (step.number <= 0)
        return value_fault(FAULT_NUM);
    number found = number_floor(value.number, step.number);
    return value_checked(found >= -LARGEST, &found);
}

static struct value call_mod(const struct sheet *sheet, const struct node *call)
{
    struct value left, right;
    if (!number_part(sheet, call, 0, 0, &left))
        return left;
    if (!number_part(sheet, call, 1, 0, &right))
        return right;
    if (right.number == 0)
        return value_fault(FAULT_DIV);
    return value_number(number_modulo(left.number, right.number));
}

/* Rounds to so many decimals (0). */
static struct value call_round(const struct sheet *sheet, const struct node *call)
{
    struct value value, decimals;
    if (!number_part(sheet, call, 0, 0, &value))
        return value;
    if (!whole_part(sheet, call, 1, 0, -4, 4, &decimals))
        return decimals;
    number found = number_round(value.number, (int)(decimals.number / ONE));
    return value_checked(found <= LARGEST && found >= -LARGEST, &found);
}

/* An argument as a truth. An empty cell is FALSE. */
static bool bool_part(const struct sheet *sheet, const struct node *call, int index, struct value *found)
{
    *found = evaluate(sheet, call->parts[index]);
    if (found->kind == EMPTY)
        *found = value_bool(false);
    if (found->kind != BOOL && found->kind != FAULT)
        *found = value_fault(FAULT_VALUE);
    return found->kind == BOOL;
}

/* Only the branch that is chosen is looked at. */
static struct value call_if(const struct sheet *sheet, const struct node *call)
{
    struct value condition;
    if (!bool_part(sheet, call, 0, &condition))
        return condition;
    if (condition.number)
        return evaluate(sheet, call->parts[1]);
    return call->count == 3 ? evaluate(sheet, call->parts[2]) : value_bool(false);
}

/* Looks at arguments until one is as wanted; then that is the answer. */
static struct value seek_bool(const struct sheet *sheet, const struct node *call, bool wanted)
{
    for (int i = 0; i < call->count; i++) {
        struct value value;
        if (!bool_part(sheet, call, i, &value))
            return value;
        if ((value.number != 0) == wanted)
            return value_bool(wanted);
    }
    return value_bool(!wanted);
}

static struct value call_and(const struct sheet *sheet, const struct node *call)
{
    return seek_bool(sheet, call, false);
}

static struct value call_or(const struct sheet *sheet, const struct node *call)
{
    return seek_bool(sheet, call, true);
}

static struct value call_not(const struct sheet *sheet, const struct node *call)
{
    struct value value;
    return bool_part(sheet, call, 0, &value) ? value_bool(!value.number) : value;
}

/* The first argument, or the second one if that is a fault. A cycle is always a fault. */
static struct value call_iferror(const struct sheet *sheet, const struct node *call)
{
    struct value value = evaluate(sheet, call->parts[0]);
    if (value.kind != FAULT || value.fault == FAULT_CYCLE)
        return value;
    return evaluate(sheet, call->parts[1]);
}

/* The argument with a number, from 1. */
static struct value call_choose(const struct sheet *sheet, const struct node *call)
{
    struct value index;
    if (!whole_part(sheet, call, 0, 0, 1, call->count - 1, &index))
        return index;
    return evaluate(sheet, call->parts[index.number / ONE]);
}

/* The name of the kind of a value. */
static struct value call_kind(const struct sheet *sheet, const struct node *call)
{
    struct value value = evaluate(sheet, call->parts[0]);
    if (value.kind == FAULT && value.fault == FAULT_CYCLE)
        return value;
    return value_text(kind_name(value.kind));
}

/* An argument as a text. False with the fault if it is one. */
static bool text_part(const struct sheet *sheet, const struct node *call, int index, struct value *found)
{
    *found = evaluate(sheet, call->parts[index]);
    if (found->kind == FAULT)
        return false;
    *found = value_text(value_show(*found));
    return true;
}

/* A part of a text, as much of it as is there. */
static struct value cut(const char *text, number start, number length)
{
    number whole = (number)strlen(text);
    if (start > whole)
        start = whole;
    if (length > whole - start)
        length = whole - start;
    return value_text(arena_text(text + start, (size_t)length));
}

static struct value call_len(const struct sheet *sheet, const struct node *call)
{
    struct value text;
    return text_part(sheet, call, 0, &text) ? value_number((number)strlen(text.text) * ONE) : text;
}

/* A text with all letters changed by a function. */
static struct value change_letters(const struct sheet *sheet, const struct node *call, int (*change)(int))
{
    struct value text;
    if (!text_part(sheet, call, 0, &text))
        return text;
    char *changed = arena_text(text.text, strlen(text.text));
    for (char *at = changed; *at != '\0'; at++)
        *at = (char)change((unsigned char)*at);
    return value_text(changed);
}

static struct value call_upper(const struct sheet *sheet, const struct node *call)
{
    return change_letters(sheet, call, toupper);
}

static struct value call_lower(const struct sheet *sheet, const struct node *call)
{
    return change_letters(sheet, call, tolower);
}

static struct value call_left(const struct sheet *sheet, const struct node *call)
{
    struct value text, length;
    if (!text_part(sheet, call, 0, &text))
        return text;
    if (!whole_part(sheet, call, 1, 1, 0, 9999, &length))
        return length;
    return cut(text.text, 0, length.number / ONE);
}

static struct value call_right(const struct sheet *sheet, const struct node *call)
{
    struct value text, length;
    if (!text_part(sheet, call, 0, &text))
        return text;
    if (!whole_part(sheet, call, 1, 1, 0, 9999, &length))
        return length;
    number whole = (number)strlen(text.text), kept = length.number / ONE;
    return cut(text.text, kept < whole ? whole - kept : 0, whole);
}

static struct value call_mid(const struct sheet *sheet, const struct node *call)
{
    struct value text, start, length;
    if (!text_part(sheet, call, 0, &text))
        return text;
    if (!whole_part(sheet, call, 1, 1, 1, 9999, &start))
        return start;
    if (!whole_part(sheet, call, 2, 9999, 0, 9999, &length))
        return length;
    return cut(text.text, start.number / ONE - 1, length.number / ONE);
}

/* Where a text is in another one, from 1. */
static struct value call_find(const struct sheet *sheet, const struct node *call)
{
    struct value wanted, text;
    if (!text_part(sheet, call, 0, &wanted))
        return wanted;
    if (!text_part(sheet, call, 1, &text))
        return text;
    const char *found = strstr(text.text, wanted.text);
    return found == NULL ? value_fault(FAULT_NA) : value_number((found - text.text + 1) * ONE);
}

/* A text without spaces at its ends, and with one where several are. */
static struct value call_trim(const struct sheet *sheet, const struct node *call)
{
    struct value text;
    if (!text_part(sheet, call, 0, &text))
        return text;
    char *kept = arena_get(strlen(text.text) + 1), *end = kept;
    for (const char *at = text.text; *at != '\0'; at++)
        if (*at != ' ' || (at[1] != ' ' && at[1] != '\0' && end > kept))
            *end++ = *at;
    return value_text(kept);
}

static struct value call_repeat(const struct sheet *sheet, const struct node *call)
{
    struct value text, times;
    if (!text_part(sheet, call, 0, &text))
        return text;
    if (!whole_part(sheet, call, 1, 1, 0, 100, &times))
        return times;
    size_t length = strlen(text.text);
    char *repeated = arena_get(length * 100 + 1);
    for (number i = 0; i < times.number / ONE; i++)
        strcpy(repeated + (size_t)i * length, text.text);
    return value_text(repeated);
}

/* The number that a text is, with blanks at its ends and perhaps a sign. */
static struct value call_value(const struct sheet *sheet, const struct node *call)
{
    struct value text;
    number found;
    if (!text_part(sheet, call, 0, &text))
        return text;
    const char *at = text.text + strspn(text.text, " ");
    bool negative = *at == '-';
    if (negative)
        at++;
    if (!number_read(&at, &found) || at[strspn(at, " ")] != '\0')
        return value_fault(FAULT_VALUE);
    return value_number(negative ? -found : found);
}

static const struct function FUNCTIONS[] = {
    {"SUM", 1, MOST_PARTS, call_sum},   {"COUNT", 1, MOST_PARTS, call_count}, {"AVG", 1, MOST_PARTS, call_avg},
    {"MIN", 1, MOST_PARTS, call_min},   {"MAX", 1, MOST_PARTS, call_max},     {"ABS", 1, 1, call_abs},
    {"FLOOR", 1, 2, call_floor},        {"MOD", 2, 2, call_mod},              {"ROUND", 1, 2, call_round},
    {"IF", 2, 3, call_if},              {"AND", 1, MOST_PARTS, call_and},     {"OR", 1, MOST_PARTS, call_or},
    {"NOT", 1, 1, call_not},            {"IFERROR", 2, 2, call_iferror},      {"CHOOSE", 2, MOST_PARTS, call_choose},
    {"KIND", 1, 1, call_kind},          {"LEN", 1, 1, call_len},              {"UPPER", 1, 1, call_upper},
    {"LOWER", 1, 1, call_lower},        {"LEFT", 1, 2, call_left},            {"RIGHT", 1, 2, call_right},
    {"MID", 2, 3, call_mid},            {"FIND", 2, 2, call_find},            {"TRIM", 1, 1, call_trim},
    {"REPEAT", 2, 2, call_repeat},      {"VALUE", 1, 1, call_value},          {"LOOKUP", 3, 3, call_lookup},
    {"INDEX", 2, 3, call_index},        {"MATCH", 2, 2, call_match},          {"COUNTIF", 2, 2, call_count_if},
    {"SUMIF", 2, 3, call_sum_if},
};

/* Calls a function. An unknown one is `#NAME`; a wrong number of arguments is `#VALUE`. */
struct value call_function(const struct sheet *sheet, const struct node *call)
{
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof FUNCTIONS[0]; i++) {
        const struct function *function = &FUNCTIONS[i];
        if (strcmp(function->word, call->word) != 0)
            continue;
        if (call->count < function->least || call->count > function->most)
            return value_fault(FAULT_VALUE);
        return function->call(sheet, call);
    }
    return value_fault(FAULT_NAME);
}
