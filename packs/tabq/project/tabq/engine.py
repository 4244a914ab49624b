"""Runs a parsed query over a table."""

from tabq import nodes
from tabq.functions import AGGREGATES, SCALARS
from tabq.parser import has_aggregate
from tabq.table import Table
from tabq.values import (
    arithmetic, both, compare, either, like_pattern, number, opposite, sort_key, to_text, truth,
)


def run(query, table):
    """The result of a query as a new table."""
    kept = [row for row in table.rows if _holds(query.where, table, [row])]
    items = _items(query, table)
    names = _unique([item.name for item in items])
    groups = _groups(query, items, table, kept)
    groups = [group for group in groups if _holds(query.having, table, group)]
    groups = _ordered(query, items, names, table, groups)
    rows = [[evaluate(item.expression, table, group) for item in items] for group in groups]
    if query.distinct:
        rows = _distinct(rows)
    return Table(names, _limited(rows, query.limit, query.offset))


def _items(query, table):
    if query.items is not None:
        return query.items
    return [nodes.Item(nodes.Column(name, None), name) for name in table.columns]


def _unique(names):
    """Names with `_2`, `_3` behind those that were there before, without regard to case."""
    used, result = set(), []
    for name in names:
        candidate, count = name, 1
        while candidate.lower() in used:
            count += 1
            candidate = "%s_%d" % (name, count)
        used.add(candidate.lower())
        result.append(candidate)
    return result


def _holds(condition, table, group):
    if condition is None:
        return True
    return truth(evaluate(condition, table, group)) is True


def _groups(query, items, table, rows):
    """The rows of each row of the result: those of a group, or one row alone."""
    if query.group:
        found = {}
        for row in rows:
            key = tuple(sort_key(evaluate(part, table, [row])) for part in query.group)
            found.setdefault(key, []).append(row)
        return list(found.values())
    expressions = [item.expression for item in items] + [order.expression for order in query.order]
    if query.having is not None or any(has_aggregate(expression) for expression in expressions):
        return [rows]
    return [[row] for row in rows]


def _ordered(query, items, names, table, groups):
    """The groups in their order. A name of the result may stand in the order."""
    named = {name.lower(): item.expression for name, item in zip(names, items)}
    for order in reversed(query.order):
        expression = order.expression
        if isinstance(expression, nodes.Column):
            expression = named.get(expression.name.lower(), expression)
        groups = sorted(
            groups,
            key=lambda group: sort_key(evaluate(expression, table, group)),
            reverse=order.descending,
        )
    return groups


def _distinct(rows):
    """The rows without those that equal an earlier one."""
    seen, result = set(), []
    for row in rows:
        key = tuple(sort_key(value) for value in row)
        if key not in seen:
            seen.add(key)
            result.append(row)
    return result


def _limited(rows, limit, offset):
    end = None if limit is None else offset + limit
    return rows[offset:end]


def evaluate(node, table, group):
    """The value of an expression. Outside of aggregates, columns are those of the first row of the
    group; they are null if the group is empty."""
    if isinstance(node, nodes.Constant):
        return node.value
    if isinstance(node, nodes.Column):
        place = table.place(node.name, node.at)
        return group[0][place] if group else None
    if isinstance(node, nodes.CountAll):
        return number(str(len(group)))
    if isinstance(node, nodes.Unary):
        return _unary(node.operator, evaluate(node.operand, table, group))
    if isinstance(node, nodes.Binary):
        left = evaluate(node.left, table, group)
        return _binary(node.operator, left, evaluate(node.right, table, group))
    if isinstance(node, nodes.Among):
        return _among(evaluate(node.operand, table, group), [evaluate(c, table, group) for c in node.choices])
    if node.name in AGGREGATES:
        return _aggregate(node, table, group)
    function = SCALARS[node.name][0]
    return function(*[evaluate(argument, table, group) for argument in node.arguments])


def _unary(operator, value):
    if operator == "not":
        return opposite(truth(value))
    if operator == "is null":
        return value is None
    value = number(value)
    return None if value is None else -value


def _binary(operator, left, right):
    if operator == "and":
        return both(truth(left), truth(right))
    if operator == "or":
        return either(truth(left), truth(right))
    if operator == "like":
        if left is None or right is None:
            return None
        return like_pattern(to_text(right)).match(to_text(left)) is not None
    if operator == "||":
        if left is None or right is None:
            return None
        return to_text(left) + to_text(right)
    if operator in ("+", "-", "*", "/", "%"):
        return arithmetic(operator, left, right)
    return compare(operator, left, right)


def _among(value, choices):
    """`in`: true if a choice is equal, else null if null is on either side, else false."""
    result = False
    for choice in choices:
        result = either(result, compare("=", value, choice))
    return result


def _aggregate(node, table, group):
    argument = node.arguments[0]
    values = [evaluate(argument, table, [row]) for row in group]
    values = [value for value in values if value is not None]
    if node.name != "join":
        return AGGREGATES[node.name](values)
    if not values:
        return None
    separator = evaluate(node.arguments[1], table, group)
    return to_text(separator).join(to_text(value) for value in values)
