"""Writes a module anew, each time in other words: other names of locals, another order of functions, other
numerals, other ways to say the same. What it does stays, so neither its text nor its size says whether it is
right. Only what is the same for every object of Python is changed: no operand is evaluated twice, or in
another order. Names that other code can see stay."""

import ast
import builtins
import random

CHANCE = random.SystemRandom()
SYLLABLES = "ba de fi go hu ka le mi no pu ra se ti vo wy".split()
TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}
OPPOSITE = {ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Functions that see the names of locals.
SEEING = {"locals", "vars", "eval", "exec", "dir", "globals"}


def disguised(source):
    """The module in words that no one has seen."""
    tree = ast.parse(source)
    says_itself = "__doc__" in source
    outer = module_names(tree) | set(dir(builtins))
    if not any(isinstance(node, ast.Name) and node.id in SEEING for node in ast.walk(tree)):
        for function in outermost(tree):
            Renamed(function, outer).visit(function)
    tree = Rewritten(says_itself).visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def often():
    return CHANCE.random() < 0.5


def outermost(node):
    """The functions that are in no other one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            yield child
        else:
            yield from outermost(child)


def module_names(tree):
    """The names that a module's level has, or may get."""
    found, level = set(), list(tree.body)
    while level:
        node = level.pop()
        if isinstance(node, FUNCTIONS + (ast.ClassDef,)):
            found.add(node.name)
            continue
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        level.extend(ast.iter_child_nodes(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found.update(node.names)
    return found


class Renamed(ast.NodeTransformer):
    """Other names for the locals of a function and of those inside of it. A name that is anything else there,
    such as a parameter, stays."""

    def __init__(self, function, outer):
        stored, kept = set(), set(outer)
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                stored.add(node.id)
            elif isinstance(node, ast.arg):
                kept.add(node.arg)
            elif isinstance(node, ast.alias):
                kept.add((node.asname or node.name).split(".")[0])
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                kept.update(node.names)
            elif isinstance(node, FUNCTIONS + (ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
                kept.add(node.name)
            elif isinstance(node, ast.MatchMapping):
                kept.add(node.rest)
            if isinstance(node, ast.ClassDef):
                kept.update(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
        taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} | kept | stored
        self.names = {}
        for name in sorted(stored - kept):
            if not name.startswith("__"):
                self.names[name] = fresh(taken)

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node


def fresh(taken):
    """A name that nothing has. It is taken then."""
    while True:
        name = "".join(CHANCE.choices(SYLLABLES, k=CHANCE.randint(2, 5)))
        if name not in taken:
            taken.add(name)
            return name


def is_text(part):
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)


def is_plain(node):
    """Whether the order in which it is evaluated does not count."""
    return isinstance(node, (ast.Name, ast.Constant))


def negated(test):
    return ast.UnaryOp(ast.Not(), test)


def is_movable(part):
    """Whether a definition does nothing but give a name to a function."""
    if not isinstance(part, ast.FunctionDef) or part.decorator_list:
        return False
    values = part.args.defaults + [value for value in part.args.kw_defaults if value is not None]
    return all(isinstance(value, ast.Constant) for value in values)


def moved(body):
    """The statements, with the functions that stand one behind the other in another order."""
    found, run = [], []
    for part in body + [None]:
        if part is not None and is_movable(part) and part.name not in {other.name for other in run}:
            run.append(part)
            continue
        CHANCE.shuffle(run)
        found.extend(run)
        run = []
        if part is not None:
            (run if is_movable(part) else found).append(part)
    return found + run


class Rewritten(ast.NodeTransformer):
    def __init__(self, says_itself):
        self.says_itself = says_itself

    def body(self, node):
        """The body without texts that nobody reads."""
        if not self.says_itself:
            node.body = [part for part in node.body if not is_text(part)] or [ast.Pass()]

    def visit_Module(self, node):
        if not self.says_itself:
            node.body = [part for part in node.body if not is_text(part)]
        self.generic_visit(node)
        node.body = moved(node.body)
        return node

    def visit_ClassDef(self, node):
        self.body(node)
        self.generic_visit(node)
        node.body = moved(node.body)
        return node

    def visit_FunctionDef(self, node):
        self.body(node)
        self.generic_visit(node)
        return node

    def visit_JoinedStr(self, node):
        return node

    def visit_match_case(self, node):
        node.body = [made for part in node.body for made in as_list(self.visit(part))]
        if node.guard is not None:
            node.guard = self.visit(node.guard)
        return node

    def visit_Constant(self, node):
        if type(node.value) is int and often():
            part = CHANCE.randint(1, 40)
            return ast.BinOp(ast.Constant(node.value + part), ast.Sub(), ast.Constant(part))
        return node

    def visit_UnaryOp(self, node):
        # A negative number stays one: `-1` is no place for a difference.
        return node if isinstance(node.operand, ast.Constant) else self.generic_visit(node)

    def visit_Compare(self, node):
        is_turned = len(node.ops) == 1 and is_plain(node.left) and is_plain(node.comparators[0])
        self.generic_visit(node)
        if len(node.ops) > 1:
            return node
        left, kind, right = node.left, type(node.ops[0]), node.comparators[0]
        if is_turned and kind in TURNED and often():
            return ast.Compare(right, [TURNED[kind]()], [left])
        if kind in OPPOSITE and often():
            return negated(ast.Compare(left, [OPPOSITE[kind]()], [right]))
        return node

    def visit_IfExp(self, node):
        self.generic_visit(node)
        return ast.IfExp(negated(node.test), node.orelse, node.body) if often() else node

    def visit_If(self, node):
        self.generic_visit(node)
        return ast.If(negated(node.test), node.orelse, node.body) if node.orelse and often() else node

    def visit_While(self, node):
        self.generic_visit(node)
        return ast.While(negated(negated(node.test)), node.body, node.orelse) if often() else node

    def visit_AugAssign(self, node):
        is_number = isinstance(node.value, ast.Constant) and type(node.value.value) in (int, float)
        self.generic_visit(node)
        if is_number and isinstance(node.target, ast.Name) and often():
            read = ast.Name(node.target.id, ast.Load())
            return ast.Assign([node.target], ast.BinOp(read, node.op, node.value))
        return node

    def visit_Return(self, node):
        self.generic_visit(node)
        if node.value is None or not often():
            return node
        # No name of the project is so long.
        name = "".join(CHANCE.choices(SYLLABLES, k=8))
        return [ast.Assign([ast.Name(name, ast.Store())], node.value), ast.Return(ast.Name(name, ast.Load()))]


def as_list(made):
    if made is None:
        return []
    return made if isinstance(made, list) else [made]
