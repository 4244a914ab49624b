"""Finds code of a module in tests that somebody wrote for it. Version 1.

Tests that carry the module's code compare it with itself: they notice each change, and say nothing of what is right.
A piece is an expression of a statement of a function, such as a condition, or a value that is returned. Two pieces are
alike if they differ in names of variables, in values, and in ways to write the same: `a > b` for `b < a`, `x not in y`
for `not x in y`, `n += 1` for `n = n + 1`. Pieces are looked for in all code of the tests, and in texts that are code.
Tests may not execute other texts, so that none is hidden: tests that only say what they expect never need to.
"""

import ast
import textwrap

#: The fewest parts of a piece that counts. Smaller ones stand in all code.
SMALLEST = 5
#: How much may stand in the tests: parts of pieces, and shares of all functions together and of one that is not small.
LEAST, SHARE, LARGE, OF_ONE = 20, 1 / 3, 40, 2 / 3
#: Functions that execute texts. A project may have some with these names.
EXECUTING = {"exec", "eval", "compile", "__import__"}
#: Modules and names that do the same.
LOADING_MODULES = {"runpy", "imp", "zipimport", "marshal", "code", "codeop", "ctypes", "builtins"}
LOADING = {"__builtins__", "__loader__", "__code__", "__globals__", "FunctionType", "CodeType", "run_path", "run_module", "exec_module",
           "spec_from_file_location", "spec_from_loader", "module_from_spec", "SourceFileLoader", "SourcelessFileLoader"}
TURNED = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
OPPOSITE = {ast.NotIn: ast.In, ast.IsNot: ast.Is, ast.NotEq: ast.Eq}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
OPERATORS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)


def problem(tests, module, names, others=""):
    """Why tests are not accepted: what in them executes texts, or which of the named functions they have. None if nothing. What
    the project's own tests, `others`, do is right."""
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError):
        # Whoever runs them says so.
        return None
    try:
        known = {name for _, name in executing(ast.parse(others))}
        for line, name in executing(tree):
            if name not in known:
                return "line %d has %s: tests say what they expect, and execute no other code" % (line, name)
        return copied(tree, ast.parse(module), names)
    except (RecursionError, MemoryError):
        return "the tests are nested too deeply to be read"


def executing(tree):
    """What executes texts: `(line, name)`."""
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    bound = {name.asname or name.name for node in imports for name in node.names}
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, FUNCTIONS)}
    for node in ast.walk(tree):
        names = set()
        if isinstance(node, ast.Import):
            names = {name.name.split(".")[0] for name in node.names} & LOADING_MODULES
        elif isinstance(node, ast.ImportFrom):
            modules = {(node.module or "").split(".")[0]} if not node.level else set()
            names = (modules & LOADING_MODULES) | ({name.name for name in node.names} & LOADING)
        elif isinstance(node, ast.Attribute):
            names = {node.attr} & LOADING
        elif isinstance(node, ast.Name):
            names = {node.id} & (LOADING | (EXECUTING - bound))
        for name in sorted(names):
            yield node.lineno, name


def copied(tree, module, names):
    """Which functions stand in the tests: much of one of the named ones, or of them together, or of all."""
    there = set()
    for code in [tree, *texts(tree)]:
        parts_of(code, there)
    wanted = {name.rpartition(".")[2] for name in names}
    functions = [node for node in ast.walk(module) if isinstance(node, FUNCTIONS)]
    found = [(function.name, *shared(function, there)) for function in functions]
    asked = [one for one in found if one[0] in wanted]
    for one in asked:
        if one[2] >= LARGE and one[1] >= OF_ONE * one[2]:
            return said([one])
    for some in (asked, found):
        hits, parts = sum(one[1] for one in some), sum(one[2] for one in some)
        if hits >= LEAST and hits >= SHARE * parts:
            return said(some)
    return None


def shared(function, there):
    """How many parts of the pieces of a function stand in the tests, and how many there are."""
    sizes = [(key in there, size) for key, size in pieces(function) if size >= SMALLEST]
    return sum(size for is_there, size in sizes if is_there), sum(size for _, size in sizes)


def said(some):
    hits, parts = sum(one[1] for one in some), sum(one[2] for one in some)
    names = [name for name, _, _ in sorted(some, key=lambda one: -one[1])]
    return "the tests have the module's own code, of %s (%d %%): expected values are wanted, not a copy of what is tested" % (
        ", ".join(names[:3]), 100 * hits // parts)


def texts(tree):
    """The texts of some code that are code as well."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if isinstance(text, str) and len(text) >= 4 * SMALLEST:
            try:
                yield ast.parse(textwrap.dedent(text))
            except (SyntaxError, ValueError):
                continue


def pieces(function):
    """The expressions of the statements of a function: what each is, and how many parts it has."""
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign):
            yield whole(type(node.op).__name__, [form(node.target, set()), form(node.value, set())])
        elif isinstance(node, (ast.stmt, ast.comprehension)) and node is not function:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield form(child, set())


def parts_of(tree, found):
    """Adds all expressions of some code, and the parts of them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign):
            found.add(whole(type(node.op).__name__, [form(node.target, found), form(node.value, found)])[0])
        elif not isinstance(node, ast.expr):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    form(child, found)


def form(node, found):
    """What an expression is, and how many parts it has. `found` gets it, and its parts."""
    made = form_of(node, found)
    if made[1] >= SMALLEST:
        found.add(made[0])
    return made


def form_of(node, found):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return form(node.operand, found)
    if isinstance(node, ast.Constant):
        return whole(type(node.value).__name__, [])
    if isinstance(node, ast.Name):
        return whole("name", [])
    if isinstance(node, ast.Attribute):
        return whole("." + node.attr, [form(node.value, found)])
    if isinstance(node, ast.BinOp) and is_number(node.left) and is_number(node.right):
        return whole("int", [])
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return compared(node, found)
    if isinstance(node, ast.IfExp):
        return whole("IfExp", [form(node.test, found), *sorted([form(node.body, found), form(node.orelse, found)])])
    name = type(getattr(node, "op", node)).__name__
    children = (child for child in ast.iter_child_nodes(node) if not isinstance(child, OPERATORS))
    return whole(name, [form(child, found) for child in children])


def is_number(node):
    return isinstance(node, ast.Constant) and type(node.value) is int


def compared(node, found):
    left, kind, right = form(node.left, found), type(node.ops[0]), form(node.comparators[0], found)
    kind = OPPOSITE.get(kind, kind)
    if kind in TURNED:
        left, kind, right = right, TURNED[kind], left
    if kind is ast.Eq:
        left, right = sorted([left, right])
    return whole(kind.__name__, [left, right])


def whole(name, parts):
    return hash((name, *(key for key, _ in parts))), 1 + sum(size for _, size in parts)
