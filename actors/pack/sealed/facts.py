"""The facts about functions that the text of a module tells: what a reference must say. Every fact is a list of texts."""

import ast
import re

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NAMED = FUNCTIONS + (ast.ClassDef,)
#: Decorators that make another kind of a method.
KINDS = ("property", "classmethod", "staticmethod")


def facts(source, names, fields):
    """`{name: {field: [text, ...]}}` for these functions of a module."""
    tree = ast.parse(source)
    return {name: {field: FIELDS[field](Described(tree, name)) for field in fields} for name in names}


class Described:
    """A function, the class around it, and the module."""

    def __init__(self, tree, name):
        self.tree, self.around, self.node = tree, None, tree
        for part in name.split("."):
            self.around, self.node = self.node, next(node for node in inner(self.node) if node.name == part)
        self.is_method = isinstance(self.around, ast.ClassDef)

    def body(self):
        """All nodes of the body, those of functions inside of it too."""
        for part in self.node.body:
            yield from ast.walk(part)

    def own(self):
        """The nodes of the body without those of functions and classes inside of it."""
        waiting = list(self.node.body)
        while waiting:
            node = waiting.pop()
            if not isinstance(node, NAMED + (ast.Lambda,)):
                yield node
                waiting.extend(ast.iter_child_nodes(node))

    def read(self):
        """The names that the body reads."""
        return {node.id for node in self.body() if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def inner(node):
    """The functions and classes directly in a node, in their order, also those below an `if` or a `try`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, NAMED):
            yield child
        elif isinstance(child, ast.stmt) or isinstance(child, ast.ExceptHandler):
            yield from inner(child)


def kind(function):
    if not function.is_method:
        return ["function"]
    names = [node.id for node in function.node.decorator_list if isinstance(node, ast.Name)]
    return [next((name for name in names if name in KINDS), "method")]


def parameters(function):
    """Each as the signature has it, without annotations, and without `self` or `cls`."""
    arguments = function.node.args
    plain = arguments.posonlyargs + arguments.args
    values = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    found = [written(*pair) for pair in zip(plain, values)]
    if arguments.posonlyargs:
        found.insert(len(arguments.posonlyargs), "/")
    if function.is_method and kind(function) != ["staticmethod"]:
        found = found[1:]
        # A slash behind nothing but `self` separates nothing.
        found = found[1:] if found[:1] == ["/"] else found
    if arguments.vararg:
        found.append("*" + arguments.vararg.arg)
    elif arguments.kwonlyargs:
        found.append("*")
    found += [written(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    return found + (["**" + arguments.kwarg.arg] if arguments.kwarg else [])


def written(argument, value):
    return argument.arg if value is None else "%s=%s" % (argument.arg, ast.unparse(value))


def raises(function):
    """`raise NAME` and `raise NAME(...)`, where the name begins with a capital; of dotted names the last part."""
    found = set()
    for node in function.own():
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = raised.attr if isinstance(raised, ast.Attribute) else getattr(raised, "id", "")
            if name[:1].isupper():
                found.add(name)
    return sorted(found)


def returns(function):
    """Constants that stand alone behind `return`; a bare `return` is `None`."""
    found = set()
    for node in function.own():
        if isinstance(node, ast.Return):
            value = ast.Constant(None) if node.value is None else node.value
            number = value.operand if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub) else value
            if isinstance(number, ast.Constant):
                found.add(ast.unparse(value))
    return sorted(found)


def calls(function):
    """Functions and classes of the module that are called by their names, and methods of the same class by `self`."""
    module = {node.name for node in inner(function.tree)}
    own = {node.name for node in inner(function.around)} if function.is_method else set()
    found = set()
    for node in function.body():
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in module:
            found.add(called.id)
        elif isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "self" and called.attr in own:
            found.add(called.attr)
    return sorted(found)


def constants(function):
    """Names in capitals that the body reads."""
    return sorted(name for name in function.read() if re.fullmatch(r"_?[A-Z][A-Z0-9_]+", name))


def imports(function):
    """Names that the body reads and the module's imports give."""
    given = set()
    for node in function.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            given.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return sorted(given & function.read())


def sets(function):
    """Attributes of `self` to which the body assigns."""
    return sorted({
        node.attr for node in function.body()
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and getattr(node.value, "id", "") == "self"
    })


FIELDS = {"kind": kind, "parameters": parameters, "raises": raises, "returns": returns, "calls": calls,
          "constants": constants, "imports": imports, "sets": sets}
