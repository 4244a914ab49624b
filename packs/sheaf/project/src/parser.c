#include "arena.h"
#include "sheet.h"

#include <ctype.h>
#include <string.h>

/* Where the parser is. `problem` is what was wrong first. */
struct parser {
    const char *at;
    const char *problem;
    int depth;
};

static struct node *parse_comparison(struct parser *parser);
static struct node *parse_sign(struct parser *parser);

enum { MOST_DEPTH = 60 };

static struct node *wrong(struct parser *parser, const char *problem)
{
    if (parser->problem == NULL)
        parser->problem = problem;
    return NULL;
}

static void skip_blanks(struct parser *parser)
{
    parser->at += strspn(parser->at, " \t");
}

static struct node *new_node(enum node_kind kind)
{
    struct node *node = arena_get(sizeof *node);
    node->kind = kind;
    return node;
}

static struct node *value_node(struct value value)
{
    struct node *node = new_node(NODE_VALUE);
    node->value = value;
    return node;
}

/* A node for an operator. NULL if its right side is missing. */
static struct node *operator_node(const char *word, struct node *left, struct node *right)
{
    if (left == NULL || right == NULL)
        return NULL;
    struct node *node = new_node(NODE_OPERATOR);
    node->word = word;
    node->parts[0] = left;
    node->parts[1] = right;
    node->count = 2;
    return node;
}

/* Takes the first of some operators that stands here. NULL if none does. */
static const char *take_operator(struct parser *parser, const char *const *words)
{
    skip_blanks(parser);
    for (; *words != NULL; words++) {
        size_t length = strlen(*words);
        if (strncmp(parser->at, *words, length) == 0) {
            parser->at += length;
            return *words;
        }
    }
    return NULL;
}

/* Parses a text in quotes; two quotes in it are one. */
static struct node *parse_text(struct parser *parser)
{
    char *text = arena_get(strlen(parser->at) + 1), *end = text;
    for (parser->at++; *parser->at != '\0'; parser->at++) {
        if (*parser->at == '"') {
            parser->at++;
            if (*parser->at != '"')
                return value_node(value_text(text));
        }
        *end++ = *parser->at;
    }
    return wrong(parser, "a text has no end");
}

/* Parses a fault such as `#REF`. */
static struct node *parse_fault(struct parser *parser)
{
    for (int fault = 0; fault < FAULTS; fault++) {
        size_t length = strlen(fault_name((enum fault)fault));
        if (strncmp(parser->at, fault_name((enum fault)fault), length) == 0 &&
            !isalnum((unsigned char)parser->at[length])) {
            parser->at += length;
            return value_node(value_fault((enum fault)fault));
        }
    }
    return wrong(parser, "that is no fault");
}

/* Parses a reference, or two with `:` as an area. */
static struct node *parse_area(struct parser *parser, struct reference first)
{
    struct node *node = new_node(NODE_AREA);
    struct reference last = first;
    if (*parser->at == ':') {
        parser->at++;
        if (!reference_read(&parser->at, &last))
            return wrong(parser, "a cell was expected behind ':'");
    }
    node->area = area_of(first.place, last.place);
    return node;
}

/* Parses the arguments of a function, behind its `(`. */
static struct node *parse_call(struct parser *parser, const char *word)
{
    struct node *node = new_node(NODE_CALL);
    node->word = word;
    parser->at++;
    skip_blanks(parser);
    if (*parser->at == ')') {
        parser->at++;
        return node;
    }
    for (;;) {
        if (node->count == MOST_PARTS)
            return wrong(parser, "there are too many arguments");
        struct node *part = parse_comparison(parser);
        if (part == NULL)
            return NULL;
        node->parts[node->count++] = part;
        skip_blanks(parser);
        if (*parser->at == ')') {
            parser->at++;
            return node;
        }
        if (*parser->at != ',')
            return wrong(parser, "',' or ')' was expected");
        parser->at++;
    }
}

/* Parses a word: a truth, a function with its arguments, or a name. */
static struct node *parse_word(struct parser *parser)
{
    const char *start = parser->at;
    while (isalnum((unsigned char)*parser->at) || *parser->at == '_')
        parser->at++;
    const char *word = arena_text(start, (size_t)(parser->at - start));
    if (strcmp(word, "TRUE") == 0 || strcmp(word, "FALSE") == 0)
        return value_node(value_bool(*word == 'T'));
    if (*parser->at == '(')
        return parse_call(parser, word);
    struct node *node = new_node(NODE_NAME);
    node->word = word;
    return node;
}

/* Parses what stands in parentheses. */
static struct node *parse_group(struct parser *parser)
{
    parser->at++;
    struct node *node = parse_comparison(parser);
    if (node == NULL)
        return NULL;
    skip_blanks(parser);
    if (*parser->at != ')')
        return wrong(parser, "')' was expected");
    parser->at++;
    return node;
}

/* Parses a value, a reference, a word or a group. */
static struct node *parse_primary(struct parser *parser)
{
    struct reference reference;
    number value;
    skip_blanks(parser);
    unsigned char first = (unsigned char)*parser->at;
    if (isdigit(first))
        return number_read(&parser->at, &value) ? value_node(value_number(value)) : wrong(parser, "that is no number");
    if (first == '"')
        return parse_text(parser);
    if (first == '#')
        return parse_fault(parser);
    if (first == '(')
        return parse_group(parser);
    if (reference_read(&parser->at, &reference))
        return parse_area(parser, reference);
    if (isalpha(first))
        return parse_word(parser);
    return wrong(parser, "a value was expected");
}

/* Parses `%` behind a value: a hundredth. */
static struct node *parse_percent(struct parser *parser)
{
    static const char *const WORDS[] = {"%", NULL};
    struct node *node = parse_primary(parser);
    while (node != NULL && take_operator(parser, WORDS) != NULL)
        node = operator_node("*", node, value_node(value_number(ONE / 100)));
    return node;
}

/* Parses `^`, which is right-associative and stronger than a sign on its left. */
static struct node *parse_power(struct parser *parser)
{
    static const char *const WORDS[] = {"^", NULL};
    struct node *node = parse_percent(parser);
    if (node != NULL && take_operator(parser, WORDS) != NULL)
        node = operator_node("^", node, parse_sign(parser));
    return node;
}

/* Parses signs. Counts how deep the formula is. */
static struct node *parse_sign(struct parser *parser)
{
    static const char *const WORDS[] = {"-", NULL};
    struct node *node;
    if (parser->depth == MOST_DEPTH)
        return wrong(parser, "the formula is too deep");
    parser->depth++;
    if (take_operator(parser, WORDS) != NULL) {
        struct node *part = parse_sign(parser);
        node = part == NULL ? NULL : new_node(NODE_NEGATE);
        if (node != NULL)
            node->parts[node->count++] = part;
    } else {
        node = parse_power(parser);
    }
    parser->depth--;
    return node;
}

/* Parses a chain of left-associative operators of one strength. */
static struct node *parse_chain(struct parser *parser, const char *const *words,
                                struct node *(*next)(struct parser *parser))
{
    const char *word;
    struct node *node = next(parser);
    while (node != NULL && (word = take_operator(parser, words)) != NULL)
        node = operator_node(word, node, next(parser));
    return node;
}

static struct node *parse_product(struct parser *parser)
{
    static const char *const WORDS[] = {"*", "/", NULL};
    return parse_chain(parser, WORDS, parse_sign);
}

static struct node *parse_sum(struct parser *parser)
{
    static const char *const WORDS[] = {"+", "-", NULL};
    return parse_chain(parser, WORDS, parse_product);
}

static struct node *parse_joined(struct parser *parser)
{
    static const char *const WORDS[] = {"&", NULL};
    return parse_chain(parser, WORDS, parse_sum);
}

/* Parses a comparison, which cannot be chained. */
static struct node *parse_comparison(struct parser *parser)
{
    static const char *const WORDS[] = {"<>", "<=", ">=", "<", ">", "=", NULL};
    struct node *node = parse_joined(parser);
    const char *word = node == NULL ? NULL : take_operator(parser, WORDS);
    return word == NULL ? node : operator_node(word, node, parse_joined(parser));
}

/* Parses a formula without its `=`. NULL if it is faulty; then `problem` is what is wrong. */
struct node *parse_formula(const char *source, const char **problem)
{
    struct parser parser = {source, NULL, 0};
    struct node *node = parse_comparison(&parser);
    skip_blanks(&parser);
    if (node != NULL && *parser.at != '\0')
        wrong(&parser, "an operator was expected");
    *problem = parser.problem;
    return node;
}
