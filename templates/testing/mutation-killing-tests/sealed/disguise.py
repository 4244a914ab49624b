"""Writes a module anew, each time in other words: other names and numerals, another order, other ways
to compare. What it does stays; so neither its text nor its size says whether it is right."""
import ast
import builtins
import random

CHANCE = random.SystemRandom()
#: Names that stay: the interface in README.md, and what Python defines.
KEPT = set("LoanError Account due_day fine borrow renew bring_back pay overdue debt start kind late junior item day cents self".split())
KEPT.update(dir(builtins), dir(list), dir(dict))
SYLLABLES = "ba de fi go hu ka le mi no pu ra se ti vo wy".split()
TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}
OPPOSITE = {ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
            ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
#: The same for integers: `a < b` is `a <= b - 1`.
STEPPED = {ast.Lt: (ast.LtE, ast.Sub), ast.LtE: (ast.Lt, ast.Add), ast.Gt: (ast.GtE, ast.Add), ast.GtE: (ast.Gt, ast.Sub)}


def often():
    return CHANCE.random() < 0.5


def negated(test):
    return ast.UnaryOp(ast.Not(), test)


class Disguise(ast.NodeTransformer):
    def __init__(self):
        self.names = {}

    def name(self, old):
        if old is None or old in KEPT or old.startswith("__"):
            return old
        while old not in self.names:
            new = "".join(CHANCE.choices(SYLLABLES, k=CHANCE.randint(2, 5)))
            if new not in self.names.values():
                self.names[old] = new
        return self.names[old]

    def visit_Name(self, node):
        node.id = self.name(node.id)
        return node

    def visit_arg(self, node):
        node.arg = self.name(node.arg)
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        node.attr = self.name(node.attr)
        return node

    def visit_Module(self, node):
        node.body = [part for part in node.body if not text(part)]
        self.generic_visit(node)
        CHANCE.shuffle(node.body)
        return node

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        node.name = self.name(node.name)
        node.body = [part for part in node.body if not text(part)] or [ast.Pass()]
        CHANCE.shuffle(node.body)
        return node

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.name = self.name(node.name)
        node.body = [part for part in node.body if not text(part)] or [ast.Pass()]
        return node

    def visit_Constant(self, node):
        if isinstance(node.value, str) and node.value not in ("book", "film"):
            return ast.Constant("")
        if type(node.value) is int and node.value > 1 and often():
            part = CHANCE.randint(1, 40)
            return ast.BinOp(ast.Constant(node.value + part), ast.Sub(), ast.Constant(part))
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) > 1:
            return node
        left, kind, right = node.left, type(node.ops[0]), node.comparators[0]
        if kind in STEPPED and often():
            kind, step = STEPPED[kind]
            right = ast.BinOp(right, step(), ast.Constant(1))
        if kind in TURNED and often():
            left, kind, right = right, TURNED[kind], left
        if often():
            return negated(ast.Compare(left, [OPPOSITE[kind]()], [right]))
        return ast.Compare(left, [kind()], [right])

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Mult)) and often():
            node.left, node.right = node.right, node.left
        return node

    def visit_IfExp(self, node):
        self.generic_visit(node)
        if often():
            return ast.IfExp(negated(node.test), node.orelse, node.body)
        return node

    def visit_If(self, node):
        self.generic_visit(node)
        if node.orelse and often():
            return ast.If(negated(node.test), node.orelse, node.body)
        return node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if isinstance(node.target, ast.Attribute) and often():
            read = ast.Attribute(node.target.value, node.target.attr, ast.Load())
            return ast.Assign([node.target], ast.BinOp(read, node.op, node.value))
        return node

    def visit_Return(self, node):
        self.generic_visit(node)
        if node.value is not None and often():
            name = self.name("result of %d" % len(self.names))
            return [ast.Assign([ast.Name(name, ast.Store())], node.value), ast.Return(ast.Name(name, ast.Load()))]
        return node


def text(part):
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


def disguised(source):
    """The module in words that no one has seen."""
    return ast.unparse(ast.fix_missing_locations(Disguise().visit(ast.parse(source)))) + "\n"
