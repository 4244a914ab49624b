"""Writes helpers of a project out where they are called, so that a task can ask for them back. Version 1.

A helper is a function or a method with a body of plain statements. Each of its calls becomes a copy of the
body with other names for what is local; then the helper goes, unless tests or other modules need it. What
may not be written out without changing what the program does is left alone:

- the body defines no functions, yields nothing, and returns only where each branch ends;
- a call stands where it is evaluated first and once in its statement, or the body is one expression;
- what the body names stands for the same things where the call is.

Whether the project still does the same, its tests say; that is up to the miner.
"""

import ast
import builtins
import re

#: Words in front of the names in copies.
PREFIXES = ("own", "this", "here", "next", "inner", "given", "plain", "found", "other", "last", "first", "local",
            "part", "now", "whole", "side")
KEEPING = (ast.Name, ast.Constant)


class Unfit(Exception):
    """A call that cannot be written out."""


class Module:
    """A source with the byte places of its tree, and what its names stand for."""

    def __init__(self, path, data):
        self.path, self.data = path, data
        self.name = path[: -len(".py")].replace("/", ".")
        self.tree = ast.parse(data)
        self.starts, at = [], 0
        for line in data.splitlines(True):
            self.starts.append(at)
            at += len(line)
        self.starts.append(at)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.bound = {}
        for node in self.tree.body:
            self.bind(node)

    def bind(self, node):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self.bound[alias.asname or alias.name] = (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self.bound[alias.asname or alias.name] = (alias.name, None)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            self.bound[node.name] = (self.name, node.name)
        elif isinstance(node, ast.Assign):
            for target in ast.walk(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    self.bound[target.id] = (self.name, target.id)

    def start(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def line(self, node):
        """Where the first line of a node begins."""
        first = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", [])])
        return self.starts[first - 1]

    def of(self, node):
        return self.data[self.start(node) : self.end(node)].decode()

    def above(self, node, kinds):
        """The nearest node of some kinds around a node; None if there is none."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, kinds):
                return node
        return None


class Helper:
    """A function or a method that may be written out."""

    def __init__(self, module, node, group):
        self.module, self.node, self.group = module, node, group
        self.name = node.name
        self.full = ".".join(filter(None, [module.name, group.name if group else None, node.name]))
        self.body = node.body[1:] if is_docstring(node.body[0]) else node.body
        self.check()
        self.parameters = [argument.arg for argument in node.args.args]
        self.own = self.parameters[0] if group else None
        stored = {n.id for n in self.walk(ast.Name) if isinstance(n.ctx, ast.Store)}
        self.assigned = {n.id for n in self.walk(ast.Name) if isinstance(n.ctx, ast.Store) and n.id in self.parameters}
        self.locals = stored | set(self.parameters)
        self.free = {n.id for n in self.walk(ast.Name)} - self.locals - set(dir(builtins))

    def walk(self, kinds):
        return (node for part in self.body for node in ast.walk(part) if isinstance(node, kinds))

    def check(self):
        arguments = self.node.args
        if self.node.decorator_list or arguments.vararg or arguments.kwarg or arguments.kwonlyargs or not self.body:
            raise Unfit("its form")
        if self.name.startswith("__") or (self.group and not arguments.args):
            raise Unfit("its name")
        banned = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await,
                  ast.Global, ast.Nonlocal, ast.JoinedStr, ast.NamedExpr)
        if any(True for _ in self.walk(banned)):
            raise Unfit("its body")
        for node in self.walk(ast.Constant):
            if isinstance(node.value, (str, bytes)) and node.lineno != node.end_lineno:
                raise Unfit("a long text")
        if any(isinstance(n.func, ast.Name) and n.func.id in ("super", "locals", "vars") for n in self.walk(ast.Call)):
            raise Unfit("its calls")

    def expression(self):
        """The only expression of the body; None if there is more."""
        only = self.body[0] if len(self.body) == 1 else None
        return only.value if isinstance(only, ast.Return) else None


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def has_return(node):
    return any(isinstance(below, ast.Return) for below in ast.walk(node))


def ends(block):
    """Whether nothing behind a block is reached from it."""
    last = block[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and ends(last.body) and ends(last.orelse)
    return isinstance(last, (ast.Return, ast.Raise))


class Copy:
    """The body of a helper at one call."""

    def __init__(self, helper, renamed, finish):
        self.helper, self.renamed, self.finish = helper, renamed, finish

    def text(self, node):
        """A part of the body with other names."""
        module = self.helper.module
        start, data = module.start(node), module.data[module.start(node) : module.end(node)]
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in self.renamed]
        for name in sorted(names, key=module.start, reverse=True):
            new = self.renamed[name.id].encode()
            data = data[: module.start(name) - start] + new + data[module.end(name) - start :]
        return data.decode()

    def indented(self, node, indent):
        """The lines of a statement, indented anew."""
        first, *rest = self.text(node).split("\n")
        old = " " * node.col_offset
        return [indent + first] + [indent + line[len(old) :] if line.startswith(old) else line for line in rest]

    def block(self, statements, indent):
        lines = []
        for at, node in enumerate(statements):
            rest = statements[at + 1 :]
            if isinstance(node, ast.Return):
                return lines + self.finish(self.text(node.value) if node.value else None, indent)
            if not has_return(node):
                lines += self.indented(node, indent)
            elif isinstance(node, ast.If) and ends(node.body):
                return lines + self.branch(node, node.orelse + rest, indent)
            else:
                raise Unfit("a return inside of a loop")
            if isinstance(node, ast.Raise):
                return lines
        return lines + self.finish(None, indent)

    def branch(self, node, others, indent):
        """A test whose body ends: everything behind it is its other case."""
        lines = [indent + "if %s:" % self.text(node.test)]
        lines += self.block(node.body, indent + "    ") or [indent + "    pass"]
        below = self.block(others, indent + "    ") if others else self.finish(None, indent + "    ")
        if not below:
            return lines
        if is_one_test(below, indent + "    "):
            below = [line[4:] for line in below]
            return lines + [indent + "el" + below[0].lstrip()] + below[1:]
        return lines + [indent + "else:"] + below


def is_one_test(lines, indent):
    """Whether lines are one `if` with its other cases."""
    outer = [line[len(indent) :] for line in lines[1:] if line.startswith(indent) and line[len(indent) :][:1] != " "]
    return lines[0].startswith(indent + "if ") and all(line.startswith(("elif ", "else:")) for line in outer)


class Writer:
    """Writes one helper out over a project."""

    def __init__(self, modules, helper, others, used):
        self.modules, self.helper, self.others, self.used = modules, helper, others, used
        self.parts, self.copies, self.is_kept = [], 0, False

    def entry(self):
        """The parts, or Unfit."""
        calls = []
        pattern = re.compile(rb"\b%s\b" % re.escape(self.helper.name).encode())
        for module in self.modules:
            found, imports = self.references(module)
            places = len(pattern.findall(module.data)) - (module is self.helper.module)
            if places != len(found) + imports or (imports and module.path.endswith("__init__.py")):
                # It is named in texts, given as a value, given out, or another thing has the same name.
                self.is_kept = True
            calls += [(module, call) for call in found]
        if any(pattern.search(text) for text in self.others):
            self.is_kept = True
        sites = []
        for module, call in calls:
            try:
                sites.append((module, self.site(module, call)))
            except Unfit:
                self.is_kept = True
        self.parts = [dict(part, file=module.path) for module, part in sites]
        self.copies = len(sites)
        if self.copies < (1 if self.is_kept else 2):
            raise Unfit("too few calls")
        if not self.is_kept:
            self.remove()
        self.parts.sort(key=lambda part: (part["file"], part["at"]))
        for one, other in zip(self.parts, self.parts[1:]):
            if one["file"] == other["file"] and one["at"][1] > other["at"][0]:
                raise Unfit("two calls in one statement")
        return self.parts

    def references(self, module):
        """The calls of the helper in a module, and how often it is imported."""
        helper, calls, imports = self.helper, [], 0
        for node in ast.walk(module.tree):
            if isinstance(node, ast.alias) and node.name == helper.name:
                imports += 1
            if not isinstance(node, ast.Call):
                continue
            if helper.group is None and isinstance(node.func, ast.Name) and node.func.id == helper.name:
                if module.bound.get(helper.name) == (helper.module.name, helper.name):
                    calls.append(node)
            if helper.group and isinstance(node.func, ast.Attribute) and node.func.attr == helper.name:
                around = module.above(node, ast.ClassDef)
                own = module is helper.module and around is helper.group
                if is_self(node.func.value) and own or is_path(node.func.value) and self.is_only(node.func):
                    calls.append(node)
        return [call for call in calls if not self.is_inside(module, call)], imports

    def is_only(self, function):
        """Whether no other class has a method of this name, and the object is another one than `self`."""
        defined = [node for module in self.modules for node in ast.walk(module.tree)
                   if isinstance(node, ast.FunctionDef) and node.name == function.attr]
        return len(defined) == 1 and not is_self(function.value) and not hasattr(dict, function.attr)

    def is_inside(self, module, call):
        node = call
        while node is not None:
            if node is self.helper.node:
                raise Unfit("it calls itself")
            node = module.parents.get(node)
        return False

    def site(self, module, call):
        helper = self.helper
        function = module.above(call, (ast.FunctionDef, ast.Lambda))
        if not isinstance(function, ast.FunctionDef):
            raise Unfit("no function is around the call")
        here = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        here |= {argument.arg for argument in function.args.args}
        for name in helper.free:
            if name in here or module.bound.get(name) != helper.module.bound.get(name):
                raise Unfit("%s is something else there" % name)
        given = self.arguments(call)
        expression = helper.expression()
        if expression is not None and all(isinstance(value, KEEPING) for value in given.values()):
            renamed, _ = self.renamed(module, call, given, function)
            text = Copy(helper, renamed, None).text(expression)
            text = re.sub(r"\n\s*", " ", text)
            return {"at": [module.start(call), module.end(call)], "text": bracketed(text, expression, module, call)}
        return self.statement(module, call, given, function)

    def arguments(self, call):
        """The argument of each parameter."""
        helper, node = self.helper, self.helper.node
        names = helper.parameters[1:] if helper.own else helper.parameters
        if len(call.args) > len(names) or any(isinstance(a, ast.Starred) for a in call.args):
            raise Unfit("its arguments")
        given = dict(zip(names, call.args))
        for keyword in call.keywords:
            if keyword.arg is None:
                raise Unfit("its arguments")
            given[keyword.arg] = keyword.value
        defaults = dict(zip(helper.parameters[len(helper.parameters) - len(node.args.defaults) :], node.args.defaults))
        for name in names:
            if name not in given:
                if not isinstance(defaults.get(name), ast.Constant):
                    raise Unfit("a default")
                given[name] = defaults[name]
        return given

    def renamed(self, module, call, given, function):
        """Other names for what is local, and the lines that give parameters their values."""
        helper, renamed, lines = self.helper, {}, []
        if helper.own:
            renamed[helper.own] = module.of(call.func.value)
        for name in sorted(helper.locals - {helper.own}):
            value = given.get(name)
            if isinstance(value, KEEPING) and name not in helper.assigned:
                source = module if value in module.parents else helper.module
                renamed[name] = source.of(value)
                continue
            renamed[name] = self.fresh(module, name)
            if name in given:
                source = module if value in module.parents else helper.module
                lines.append("%s = %s" % (renamed[name], source.of(value)))
        return renamed, lines

    def fresh(self, module, name):
        """A name that nothing in the module has, nor another copy."""
        words = {n.id for n in ast.walk(module.tree) if isinstance(n, ast.Name)}
        words |= {argument.arg for argument in ast.walk(module.tree) if isinstance(argument, ast.arg)}
        taken = self.used.setdefault(module.path, set())
        first = sum(map(ord, self.helper.full)) + self.copies + len(self.parts)
        for step in range(10000):
            prefix = PREFIXES[(first + step) % len(PREFIXES)]
            number = "" if step < len(PREFIXES) else str(step // len(PREFIXES) + 1)
            new = "%s_%s%s" % (prefix, name.strip("_") or "rest", number)
            if new not in words and new not in taken:
                taken.add(new)
                return new
        raise Unfit("no name is left")

    def statement(self, module, call, given, function):
        """A call that is a statement, or that is evaluated first in one."""
        statement = module.above(call, ast.stmt)
        start = module.line(statement)
        head = module.data[start : module.start(statement)].decode()
        if head.strip():
            raise Unfit("it does not begin a line")
        if module.data[module.start(statement) :].startswith(b"elif"):
            raise Unfit("an elif")
        renamed, lines = self.renamed(module, call, given, function)
        before = [head + line for line in lines]
        kind = self.finish(module, call, statement)
        if kind is None:
            self.check_first(module, call, statement)
            name = self.fresh(module, self.helper.name)
            finish = lambda value, indent: [indent + "%s = %s" % (name, value)]
            block = Copy(self.helper, renamed, finish).block(self.helper.body, head)
            rest = module.data[start : module.start(call)].decode() + name
            return {"at": [start, module.end(call)], "text": "\n".join(before + block + [rest])}
        block = Copy(self.helper, renamed, kind).block(self.helper.body, head)
        if not block:
            raise Unfit("nothing is left")
        return {"at": [start, module.end(statement)], "text": "\n".join(before + block)}

    def finish(self, module, call, statement):
        """What becomes of the result where the call is all of a statement; None where it is a part."""
        if getattr(statement, "value", None) is not call:
            return None
        if isinstance(statement, ast.Return):
            return lambda value, indent: [indent + "return %s" % value]
        if isinstance(statement, ast.Assign):
            left = module.data[module.start(statement) : module.start(call)].decode()
            return lambda value, indent: [indent + left + str(value)]
        if isinstance(statement, ast.Expr):
            if any(node.value is not None for node in self.helper.walk(ast.Return)):
                return lambda value, indent: [] if value is None or value.isidentifier() else [indent + value]
            return lambda value, indent: []
        return None

    def check_first(self, module, call, statement):
        """Nothing that may have effects is evaluated before the call, and it is evaluated once."""
        if isinstance(statement, (ast.Return, ast.Assign, ast.Expr, ast.Raise)):
            top = statement
        elif isinstance(statement, ast.If):
            top = statement.test
        elif isinstance(statement, ast.For):
            top = statement.iter
        else:
            raise Unfit("the kind of its statement")
        if call is not top and call not in ast.walk(top):
            raise Unfit("its place")
        for node in ast.walk(top):
            if isinstance(node, (ast.Call, ast.Subscript)) and module.end(node) <= module.start(call):
                raise Unfit("something comes before it")
        node = call
        while node is not statement:
            above = module.parents[node]
            if isinstance(above, (ast.comprehension, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda)):
                raise Unfit("a comprehension")
            if isinstance(above, ast.BoolOp) and above.values[0] is not node:
                raise Unfit("it may not be evaluated")
            if isinstance(above, ast.IfExp) and above.test is not node:
                raise Unfit("it may not be evaluated")
            node = above

    def remove(self):
        """Takes the helper away, and its imports."""
        helper, module = self.helper, self.helper.module
        block = helper.group.body if helper.group else module.tree.body
        at = block.index(helper.node)
        if len(block) == 1:
            raise Unfit("the class would be empty")
        start = module.line(helper.node)
        if at + 1 < len(block):
            end = module.line(block[at + 1])
            gap = module.data[module.end(helper.node) : end].decode()
            comment = re.search(r"^[ \t]*#", gap, re.M)
            if comment:
                end = module.end(helper.node) + comment.start()
        else:
            start, end = module.end(block[at - 1]), module.end(helper.node)
        self.parts.append({"file": module.path, "at": [start, end], "text": ""})
        for other in self.modules:
            for node in other.tree.body:
                if isinstance(node, ast.ImportFrom) and any(alias.name == helper.name for alias in node.names):
                    self.parts.append(dict(without(other, node, helper.name), file=other.path))


def without(module, node, name):
    """An import without one name."""
    names = [a.name if a.asname is None else "%s as %s" % (a.name, a.asname) for a in node.names if a.name != name]
    if not names:
        return {"at": [module.line(node), module.starts[node.end_lineno]], "text": ""}
    text = "from %s import %s" % (node.module, ", ".join(names))
    if len(text) > 100:
        text = "from %s import (\n    %s,\n)" % (node.module, ", ".join(names))
    return {"at": [module.start(node), module.end(node)], "text": text}


def is_self(node):
    return isinstance(node, ast.Name) and node.id == "self"


def is_path(node):
    """Whether an expression is a name, or a name with attributes."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def bracketed(text, expression, module, call):
    """An expression where a call stood."""
    closed = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.ListComp)
    above = module.parents[call]
    alone = isinstance(above, (ast.Return, ast.Assign, ast.Expr)) and above.value is call
    return text if alone or isinstance(expression, closed) else "(%s)" % text


def candidates(sources, others):
    """The name of each helper that can be written out, whether it stays, and its parts. `sources` are bytes
    by paths; what `others` name stays."""
    modules = [Module(path, data) for path, data in sorted(sources.items())]
    used, found = {}, []
    for module in modules:
        for group in [None] + [node for node in module.tree.body if isinstance(node, ast.ClassDef)]:
            for node in group.body if group else module.tree.body:
                if not isinstance(node, ast.FunctionDef):
                    continue
                try:
                    writer = Writer(modules, Helper(module, node, group), others, used)
                    found.append((writer.helper.full, writer.is_kept, writer.entry(), writer))
                except Unfit:
                    continue
    return [(name, writer.is_kept, parts) for name, _, parts, writer in found]
