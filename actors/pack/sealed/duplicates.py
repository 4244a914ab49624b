"""Judges the form of sources from which duplicates were to be removed. Version 1.

It reads the sources that the agent left as data and runs nothing of them; whether they still do the same,
the tests say. The lines `ok PART` and `not ok PART: why` say what came of each part:

- `clones`: little is written several times, and the sources are as short as they were.
- `interface`: public names, and the parameters of functions, are those of the project.
- `form`: no code is hidden in texts, and lines and files are not longer than they were.
- `fewer`: half of the way to `clones`; a milestone.

As long as nothing was made shorter, no part passes.
"""

import ast
import json
import os

import clones
import judged

SEALED = os.path.dirname(os.path.abspath(__file__))
#: Functions that run code which is in texts, and modules that do.
RUNNING_NAMES = {"exec", "eval", "compile", "__import__", "__builtins__", "__doc__", "getdoc"}
#: Characters that texts, numbers and formatted texts may have more than those of the project together.
MORE_TEXT = 100
RUNNING_MODULES = {"builtins", "code", "codeop", "ctypes", "imp", "importlib", "marshal", "pickle", "runpy", "subprocess"}


def main():
    with open(os.path.join(SEALED, "duplicates.json"), encoding="utf-8") as file:
        plan = json.load(file)
    problems = {}
    try:
        texts = submitted(plan["source"])
        original = {path: read(path) for path in plan["originals"]}
        several, total = clones.measure([texts[path] for path in sorted(texts) if path.endswith(".py")])
        problems["clones"] = clones_problem(plan, several, total)
        early = "%d tokens are still written several times" % several if several > plan["half"] else None
        problems["interface"] = early or interface_problem(plan, original, texts)
        problems["form"] = early or form_problem(plan, original, texts)
        lost = "only %d tokens are left" % total if total < plan["least"] else None
        problems["fewer"] = problems["interface"] or lost
    except (judged.Refused, SyntaxError, ValueError, RecursionError, MemoryError) as why:
        problems = dict.fromkeys(("clones", "interface", "form", "fewer"), str(why) or type(why).__name__)
    for part, why in problems.items():
        print("not ok %s: %s" % (part, str(why).replace("\n", " ")[:300]) if why else "ok %s" % part)


def submitted(roots):
    """The texts of the sources that the agent left."""
    found = {}
    for root in roots:
        names = [root] if root.endswith(".py") else [os.path.join(root, name) for name in judged.tree(root)]
        if not names:
            raise judged.Refused("there is no file below %s" % root)
        for name in names:
            if "__pycache__" not in name.split("/"):
                found[name] = judged.submitted(name, text=False).decode("utf-8-sig")
    return found


def read(path):
    with open(os.path.join(SEALED, "original", path), encoding="utf-8-sig") as file:
        return file.read()


def clones_problem(plan, several, total):
    if several > plan["several"]:
        return "%d tokens are written several times, at most %d may be" % (several, plan["several"])
    if total > plan["tokens"]:
        return "there are %d tokens, at most %d may be" % (total, plan["tokens"])
    return None


def interface_problem(plan, original, texts):
    """The first public name of the project that is not there as it was."""
    for path, text in sorted(original.items()):
        if not path.endswith(".py"):
            continue
        if path not in texts:
            return "%s is missing" % path
        module = path[: -len(".py")].replace("/", ".")
        before, after = interface(ast.parse(text), path), interface(ast.parse(texts[path]), path)
        for name, form in before.items():
            if "%s.%s" % (module, name) in plan["gone"]:
                continue
            if name not in after:
                return "%s has no %s" % (path, name)
            if after[name] not in (form, "bound"):
                return "%s of %s takes other arguments" % (name, path)
    return None


def interface(tree, path):
    """The public names of a module and of its classes, and how each is called."""
    found = {}
    for node in tree.body:
        for name in bound(node, path):
            if not name.startswith("_"):
                found[name] = "bound"
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            found[node.name] = parameters(node) if isinstance(node, ast.FunctionDef) else "class"
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for below in node.body:
                if isinstance(below, ast.FunctionDef) and (not below.name.startswith("_") or below.name.startswith("__")):
                    found["%s.%s" % (node.name, below.name)] = parameters(below)
    return found


def bound(node, path):
    """The names that a statement of a module binds. What a module imports for itself is no interface."""
    if isinstance(node, (ast.Import, ast.ImportFrom)) and path.endswith("__init__.py"):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return []


def parameters(node):
    arguments = node.args
    plain = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    named = sorted(argument.arg for argument in arguments.kwonlyargs)
    more = [bool(arguments.vararg), bool(arguments.kwarg)]
    return json.dumps([plain, len(arguments.defaults), named, more])


def form_problem(plan, original, texts):
    """What makes the sources only look shorter."""
    for path, text in sorted(texts.items()):
        if not path.endswith(".py"):
            if original.get(path) != text:
                return "%s is no source in Python" % path
            continue
        lines = text.splitlines()
        if len(lines) > plan["lines"]:
            return "%s has %d lines, at most %d may be" % (path, len(lines), plan["lines"])
        if any(len(line) > plan["width"] for line in lines):
            return "%s has a line of more than %d characters" % (path, plan["width"])
    more = sum(map(text_size, python_of(texts))) - sum(map(text_size, python_of(original)))
    if more > MORE_TEXT:
        return "texts and numbers have %d characters more than those of the project, at most %d may be" % (more, MORE_TEXT)
    allowed = set().union(*[running(text) for path, text in original.items() if path.endswith(".py")])
    for path, text in sorted(texts.items()):
        more = running(text) - allowed if path.endswith(".py") else set()
        if more:
            return "%s has %s" % (path, sorted(more)[0])
    return None


def python_of(texts):
    return [text for path, text in texts.items() if path.endswith(".py")]


def text_size(text):
    """The characters of constants and of formatted texts, with the code in those. Docstrings do not count."""
    tree = ast.parse(text)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node, False) is not None:
            docstrings.add(id(node.body[0].value))
    sized = (ast.Constant, ast.JoinedStr)
    return sum(len(ast.unparse(node)) for node in ast.walk(tree) if isinstance(node, sized) and id(node) not in docstrings)


def running(text):
    """The names and the modules of a source that can run texts."""
    names, modules = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr != "compile":
            names.add(node.attr)
        elif isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    return names & RUNNING_NAMES | modules & RUNNING_MODULES


main()
