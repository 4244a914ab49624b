"""Mines a project in Python for tasks. Version 1.

It runs in a sandbox: the project is in `project/` below the working directory, what is known so far
in `state/`. Each command does one step, so that whoever calls it can show progress:

    miner.py baseline               which tests pass every time            -> state/tests.json
    miner.py candidates             where a fault may go, what covers it   -> state/candidates.json
    miner.py try FROM TO            which candidates break which tests     -> state/tried.jsonl
    miner.py confirm FROM TO        the same, each in a fresh process      -> state/confirmed.jsonl
    miner.py groups FROM TO         several faults at once                 -> state/groups.jsonl
    miner.py inlines                helpers written out at their calls     -> state/inlines.jsonl
    miner.py write                  the parts of the pack                  -> state/map.jsonl, index.jsonl
    miner.py names                  which names can be others              -> state/names.jsonl
    miner.py check FROM TO          entries of a finished pack again       -> prints what differs
    miner.py together               the trials of state/trials.json        -> prints which tests fail

A step prints one line of JSON. A fork server validates candidates: all modules are compiled once, and
each candidate has a child that imports the project anew from the compiled modules, with one changed.
The child runs the tests that cover the change. A child with no change must pass everything: the control.
"""

import ast
import gc
import importlib.abc
import importlib.util
import io
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import symtable
import sys
import tempfile
import time
import tokenize
import unittest

ROOT = os.path.abspath("project")
STATE = os.path.abspath("state")
#: Seconds of processor time for a test whose time is not known.
UNTIMED = 60
#: Where the modules of the project are, whatever the directory is called.
MOUNT = "/work/project"


def settings():
    with open(os.path.join(STATE, "settings.json"), encoding="utf-8") as file:
        return json.load(file)


# Files


def load(name):
    with open(os.path.join(STATE, name), encoding="utf-8") as file:
        return json.load(file)


def save(name, value):
    path = os.path.join(STATE, name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)


def lines(name):
    path = os.path.join(STATE, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def append(name, values):
    with open(os.path.join(STATE, name), "a", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value) + "\n")


def python_files(below):
    """All modules below some directories or files of the project, sorted, as relative paths."""
    found = []
    for top in below:
        path = os.path.join(ROOT, top)
        if os.path.isfile(path):
            found.append(top)
        for directory, names, files in os.walk(path):
            names.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    found.append(os.path.relpath(os.path.join(directory, name), ROOT))
    return sorted(set(found))


def read(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.read()


def module_name(path):
    name = path[: -len(".py")].replace("/", ".")
    return name[: -len(".__init__")] if name.endswith(".__init__") else name


# The fork server


class Compiled(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives out the modules of the project from compiled code, without looking at files."""

    def __init__(self, paths):
        self.paths = {module_name(path): path for path in paths}
        self.sources = {path: read(path) for path in paths}
        self.code = {}
        for path, source in self.sources.items():
            self.code[path] = self.compiled(path, source)

    def compiled(self, path, source):
        return compile(source, os.path.join(ROOT, path), "exec", dont_inherit=True)

    def find_spec(self, name, path=None, target=None):
        if name not in self.paths:
            return None
        place = self.paths[name]
        spec = importlib.util.spec_from_loader(
            name, self, origin=os.path.join(ROOT, place), is_package=place.endswith("__init__.py")
        )
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(os.path.join(ROOT, place)))
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.code[self.paths[module.__name__]], module.__dict__)


class Outcome(unittest.TestResult):
    """Writes what came of the tests to a pipe. A process that dies has said that it began, and no more."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.known = None
        self.failed = 0
        self.said = []
        self.say("begin")
        self.flush()

    def say(self, *what):
        self.said.append(json.dumps(what) + "\n")

    def flush(self):
        data = "".join(self.said).encode()
        self.said.clear()
        while data:
            data = data[os.write(self.out, data) :]

    def startTest(self, test):
        super().startTest(test)
        self.known = None

    def stopTest(self, test):
        super().stopTest(test)
        kind, message = self.known or ("ok", "")
        self.failed += kind != "ok"
        self.say(test.id(), kind, message)

    def note(self, kind, error):
        if self.known is None or self.known[0] == "ok":
            name, text = error[0].__name__, str(error[1])
            self.known = (kind, ("%s: %s" % (name, text))[:400])

    def addError(self, test, error):
        # The parent tells faults of a class or a module by their names.
        self.note("error", error)
        if not isinstance(test, unittest.TestCase):
            self.say(test.id(), "error", self.known[1])

    def addFailure(self, test, error):
        self.note("fail", error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            is_fail = issubclass(error[0], test.failureException)
            self.note("fail" if is_fail else "error", error)

    def addSkip(self, test, reason):
        self.known = ("skip", reason)

    def addExpectedFailure(self, test, error):
        self.known = ("ok", "")

    def addUnexpectedSuccess(self, test):
        self.known = ("fail", "it passes, which was not expected")


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def all_tests(modules):
    """All tests. ImportError if a module with tests cannot be imported."""
    loader = unittest.TestLoader()
    found = []
    for module in modules:
        found.extend(flat(loader.loadTestsFromName(module)))
    if loader.errors:
        raise ImportError(str(loader.errors[0]).strip().rpartition("\n")[2])
    return found


def quiet():
    """Sends everything that tests print nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), io.StringIO(), io.StringIO()


class Server:
    """Forks a child for each candidate. `known` has the times of tests, `alone` the modules of tests that
    pass also if no other one is imported."""

    def __init__(self, known=(), alone=(), trace=False):
        spec = settings()
        self.sources = python_files(spec["source"])
        self.tests = [path for path in python_files(spec["tests"]) if is_test(path)]
        self.finder = Compiled(sorted(set(self.sources + python_files(spec["tests"]))))
        self.modules = [module_name(path) for path in self.tests]
        self.times = dict(known)
        self.alone = set(alone)
        # The modules that have each test.
        self.homes = {}
        os.chdir(ROOT)
        sys.path.insert(0, ROOT)
        sys.meta_path.insert(0, self.finder)
        # What the project imports of the standard library is imported here, once.
        before = set(sys.modules)
        # What runs in functions of the project while a module of tests is imported.
        self.imported = {}
        for module in self.modules:
            tracer = Tracer()
            sys.settrace(tracer.call if trace else None)
            try:
                tests = all_tests([module])
            finally:
                sys.settrace(None)
            self.imported[module] = tracer.found(0)["lines"]
            for test in tests:
                self.homes.setdefault(test.id(), set()).add(module)
        for name in set(sys.modules) - before:
            if name.split(".")[0] in {module.split(".")[0] for module in self.finder.paths}:
                del sys.modules[name]
        # Children share the pages of what is there by now.
        gc.collect()
        gc.freeze()

    def run(self, changes, wanted, trace=False, most=None):
        """Runs the tests `wanted` with changes `(path, source)`, until more than `most` fail. The result is a
        map from tests to `(kind, message)`, the lines per test if `trace`, and how the child ended: "done",
        "hung" or "died"."""
        modules = set().union(*[self.homes.get(test, set()) for test in wanted])
        if not modules <= self.alone:
            modules = self.modules
        return self.run_modules(sorted(modules), changes, wanted, trace, most)

    def run_modules(self, modules, changes, wanted, trace=False, most=None):
        """The same, where these modules of tests are imported."""
        source, target = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(source)
                self.child(modules, changes, wanted, target, trace, most)
            finally:
                os._exit(0)
        os.close(target)
        said, ended = self.listen(source, child)
        results, covered = {}, {}
        for record in said:
            if record[0] == "lines":
                covered[record[1]] = record[2]
            elif record[0] == "end":
                ended = "done"
            elif record[0] == "broken":
                results["(import)"] = ("error", record[1])
            elif record[0] != "begin":
                results[record[0]] = (record[1], record[2])
        return results, covered, ended

    def listen(self, source, child):
        """What a child says, until it ends or for ten minutes. A test that waits is ended before."""
        data, end = [], time.monotonic() + 600
        while True:
            ready, _, _ = select.select([source], [], [], max(0, end - time.monotonic()))
            if not ready:
                break
            part = os.read(source, 1 << 16)
            if not part:
                break
            data.append(part)
        os.close(source)
        try:
            os.killpg(child, signal.SIGKILL)
        except OSError:
            pass
        try:
            os.kill(child, signal.SIGKILL)
        except OSError:
            pass
        _, status = os.waitpid(child, 0)
        hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU)
        said = []
        for line in b"".join(data).split(b"\n"):
            try:
                said.append(json.loads(line))
            except ValueError:
                continue
        return said, "hung" if hung or not data else "died"

    def child(self, modules, changes, wanted, target, trace, most):
        os.setpgid(0, 0)
        quiet()
        memory = settings_memory()
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        out = Outcome(target)
        gc.disable()
        try:
            for path, text in changes:
                self.finder.code[path] = self.finder.compiled(path, text)
            tests = all_tests(modules)
        except BaseException as error:
            out.say("broken", ("%s: %s" % (type(error).__name__, error))[:400])
            self.end(out)
        gc.enable()
        for test in tests:
            if test.id() not in wanted:
                continue
            if most is not None and out.failed > most:
                break
            # A test that was not timed yet runs under a trace, which is many times slower.
            limit = max(0.05, 10 * self.times[test.id()]) if test.id() in self.times else UNTIMED
            signal.setitimer(signal.ITIMER_PROF, limit)
            signal.setitimer(signal.ITIMER_REAL, limit + 60)
            tracer = Tracer() if trace else None
            if tracer:
                sys.settrace(tracer.call)
            began = time.process_time()
            try:
                test.run(out)
            finally:
                sys.settrace(None)
            if tracer:
                out.say("lines", test.id(), tracer.found(time.process_time() - began))
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.end(out)

    def end(self, out):
        out.say("end")
        out.flush()
        os._exit(0)


def settings_memory():
    return 1 << 30


def is_test(path):
    name = path.rsplit("/", 1)[-1]
    return name.startswith("test") or name.endswith("_test.py")


class Tracer:
    """Which lines of the project run."""

    def __init__(self):
        self.lines = {}

    def call(self, frame, event, argument):
        path = frame.f_code.co_filename
        if not path.startswith(ROOT + "/"):
            return None
        self.lines.setdefault(path, set()).add(frame.f_lineno)
        return self.line

    def line(self, frame, event, argument):
        self.lines[frame.f_code.co_filename].add(frame.f_lineno)
        return self.line

    def found(self, seconds):
        below = {os.path.relpath(path, ROOT): sorted(lines) for path, lines in self.lines.items()}
        return {"seconds": seconds, "lines": below}


# A fresh process

FRESH = r"""
import json, os, sys, unittest
sys.path.insert(0, os.getcwd())
class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.found, self.now = {}, None
    def startTest(self, test):
        super().startTest(test)
        self.now = "ok"
    def stopTest(self, test):
        super().stopTest(test)
        self.found[test.id()] = self.now
    def addError(self, test, error):
        self.now = "error"
        if not isinstance(test, unittest.TestCase):
            self.found[test.id()] = "error"
    def addFailure(self, test, error):
        self.now = "fail"
    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.now = "fail" if issubclass(error[0], test.failureException) else "error"
    def addSkip(self, test, reason):
        self.now = "skip"
def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
given = json.loads(sys.argv[1])
tests, unread = [], []
for module in given["modules"]:
    loader = unittest.TestLoader()
    found = list(flat(loader.loadTestsFromName(module)))
    if loader.errors:
        unread.append(module)
    else:
        tests.extend(test for test in found if test.id() not in given["without"])
if given["reverse"]:
    tests.reverse()
result = Result()
result.found.update((module, "unread") for module in unread)
for test in tests:
    test.run(result)
out.write("\n" + json.dumps(result.found) + "\n")
out.flush()
os._exit(0)
"""


def fresh(changes, modules, hash_seed, reverse=False, limit=60):
    """All tests that are not deselected, in a fresh process over a copy of the project. A map from
    tests to kinds, and from modules that cannot be imported to "unread"; None if the process gave no
    answer. `limit` is its processor time; a busy host may give it late."""
    with tempfile.TemporaryDirectory() as place:
        tree = os.path.join(place, "project")
        shutil.copytree(ROOT, tree)
        for path, text in changes:
            with open(os.path.join(tree, path), "wb") as file:
                file.write(text)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "HOME": place,
        }
        given = json.dumps({"modules": modules, "reverse": reverse, "without": settings()["deselected"]})

        def limits():
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            memory = settings_memory()
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

        try:
            done = subprocess.run(
                [sys.executable, "-B", "-c", FRESH, given], cwd=tree, env=environment, timeout=limit * 20,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=limits,
            )
            return json.loads(done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2])
        except (ValueError, subprocess.TimeoutExpired):
            return None


# Baseline


def baseline():
    """Runs all tests in three fresh processes: other hash seeds, and once in reverse order. What is
    deselected does not run: it may hang, or end the process."""
    spec = settings()
    modules = [module_name(path) for path in python_files(spec["tests"]) if is_test(path)]
    if not modules:
        return fail("there are no tests in Python below %s" % ", ".join(spec["tests"]))
    runs = [fresh([], modules, 0), fresh([], modules, 1, reverse=True), fresh([], modules, 2)]
    if any(run is None for run in runs):
        return fail("the tests gave no answer: they hang, or do not end by themselves")
    names = sorted(set().union(*runs))
    passing, left_out, unread = [], {}, []
    for name in names:
        kinds = [run.get(name, "missing") for run in runs]
        if "unread" in kinds:
            left_out[name] = "cannot be imported"
            unread.append(name)
        elif kinds == ["ok"] * 3:
            passing.append(name)
        elif len(set(kinds)) == 1:
            left_out[name] = {"fail": "fails", "error": "fails", "skip": "is skipped"}.get(kinds[0], kinds[0])
        else:
            left_out[name] = "is flaky: %s" % ", ".join(kinds)
    for name in spec["deselected"]:
        left_out[name] = "was deselected by hand"
    modules = [module for module in modules if module not in unread]
    save("tests.json", {"passing": passing, "left_out": left_out, "modules": modules})
    unread = [module.replace(".", "/") + ".py" for module in unread]
    return {"passing": len(passing), "left_out": left_out, "unread": unread}


def fail(message):
    return {"error": message}


# Candidates


class Text:
    """A source with the byte places of its syntax tree."""

    def __init__(self, path):
        self.path = path
        self.bytes = read(path)
        self.tree = ast.parse(self.bytes)
        starts, at = [], 0
        for line in self.bytes.splitlines(True):
            starts.append(at)
            at += len(line)
        self.starts = starts + [at]

    def start(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node):
        return self.bytes[self.start(node) : self.end(node)].decode()

    def between(self, first, second):
        return self.end(first), self.start(second)


NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<", "in": "not in", "not in": "in",
           "is": "is not", "is not": "is"}
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
ARITHMETIC = {"+": "-", "-": "+", "*": "+", "//": "*", "/": "*"}
SIGNS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
         ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Add: "+", ast.Sub: "-", ast.Mult: "*",
         ast.Div: "/", ast.FloorDiv: "//"}
UNWRAPPED = {"list", "tuple", "sorted", "set", "int", "str", "abs", "dict"}
UNWRAPPED_METHODS = {"strip", "lower", "upper", "rstrip", "lstrip", "copy"}


class Sites:
    """All changes of one file, each `(operator, start, end, replacement, line)`, by functions."""

    def __init__(self, text):
        self.text = text
        self.found = []
        self.stubs = []
        self.names = []
        self.function = None
        for node in text.tree.body:
            self.visit(node)

    def add(self, operator, start, end, new, line):
        old = self.text.bytes[start:end].decode()
        if old != new:
            self.found.append((self.function, operator, start, end, new, line))

    def replace(self, operator, node, new):
        self.add(operator, self.text.start(node), self.text.end(node), new, node.lineno)

    def visit(self, node):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.names.append(node.name)
            outer = self.function
            if not isinstance(node, ast.ClassDef):
                self.function = outer or ".".join(self.names)
                if outer is None:
                    self.stub(node)
            body = node.body
            if is_docstring(body[0]):
                body = body[1:]
            self.block(body)
            for child in body:
                self.visit(child)
            self.function = outer
            self.names.pop()
            return
        # Messages are no behaviour.
        if isinstance(node, (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)):
            return
        if self.function is not None:
            self.operators(node)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if self.function is not None and isinstance(block, list):
                self.block(block)
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    def stub(self, node):
        """A function whose docstring says what it does: its body can be written anew."""
        if not is_docstring(node.body[0]) or len(node.body) < 2:
            return
        statements = sum(isinstance(below, ast.stmt) for part in node.body[1:] for below in ast.walk(part))
        if statements < 3:
            return
        text = self.text
        start, end = text.start(node.body[1]), text.end(node.body[-1])
        self.stubs.append((self.function, "stub", start, end, "raise NotImplementedError", node.body[1].lineno))

    def block(self, body):
        """Whole statements."""
        for at, statement in enumerate(body):
            alone = len(body) == 1
            is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            if is_call or isinstance(statement, ast.AugAssign):
                self.drop("stmt_drop", statement)
            if isinstance(statement, ast.If) and not statement.orelse and not alone and len(statement.body) == 1:
                if isinstance(statement.body[0], (ast.Return, ast.Continue, ast.Break)):
                    self.drop("guard_drop", statement)
            if at + 1 < len(body):
                self.reorder(statement, body[at + 1])

    def drop(self, operator, statement):
        self.replace(operator, statement, "pass")

    def reorder(self, first, second):
        simple = (ast.Assign, ast.AugAssign, ast.Expr)
        if isinstance(first, simple) and isinstance(second, simple) and not is_docstring(first):
            text = self.text
            gap = text.bytes[text.end(first) : text.start(second)].decode()
            new = text.of(second) + gap + text.of(first)
            self.add("stmt_reorder", text.start(first), text.end(second), new, first.lineno)

    def operators(self, node):
        name = "on_" + type(node).__name__
        if hasattr(self, name):
            getattr(self, name)(node)

    def sign(self, operator, left, right, old, new):
        """Replaces the operator between two operands."""
        start, end = self.text.between(left, right)
        gap = self.text.bytes[start:end].decode()
        if gap.count(old) == 1 and "#" not in gap:
            self.add(operator, start, end, gap.replace(old, new), left.end_lineno)

    def on_Compare(self, node):
        if len(node.ops) != 1:
            return
        old = SIGNS.get(type(node.ops[0]))
        if old in NEGATED:
            self.sign("cmp_negate", node.left, node.comparators[0], old, NEGATED[old])
        if old in BOUNDARY:
            self.sign("cmp_boundary", node.left, node.comparators[0], old, BOUNDARY[old])

    def on_BinOp(self, node):
        old = SIGNS.get(type(node.op))
        if old not in ARITHMETIC or is_text(node.left) or is_text(node.right):
            return
        self.sign("arith_swap", node.left, node.right, old, ARITHMETIC[old])
        if old in ("-", "/", "//"):
            new = "%s %s %s" % (self.text.of(node.right), old, self.text.of(node.left))
            self.replace("operand_swap", node, new)

    def on_Constant(self, node):
        if node.value is True or node.value is False:
            self.replace("bool_const", node, str(not node.value))
        elif type(node.value) is int and abs(node.value) < 1000:
            self.replace("int_off_by_one", node, str(node.value + 1))

    def on_Slice(self, node):
        for part, shift in ((node.lower, "%s + 1"), (node.upper, "%s - 1")):
            if part is not None:
                self.replace("slice_shift", part, shift % bracketed(self.text.of(part), part))

    def on_UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            self.replace("not_drop", node, self.text.of(node.operand))
        elif isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            self.replace("neg_drop", node, self.text.of(node.operand))

    def on_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        texts = [self.text.of(value) for value in node.values]
        if len(node.values) == 2:
            self.sign("bool_swap", node.values[0], node.values[1], old, new)
        for at in range(len(texts)):
            kept = texts[:at] + texts[at + 1 :]
            self.replace("bool_drop_term", node, "(%s)" % (" %s " % old).join(kept))

    def on_If(self, node):
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            inner = node.orelse[0]
            word = self.text.bytes[self.text.start(inner) : self.text.start(inner) + 4]
            if word == b"elif":
                # The case is never taken.
                self.replace("elif_drop", inner.test, "False")

    def on_IfExp(self, node):
        texts = [self.text.of(part) for part in (node.orelse, node.test, node.body)]
        self.replace("ifexp_swap", node, "%s if %s else %s" % tuple(texts))

    def on_Call(self, node):
        text = self.text
        plain = [a for a in node.args if not isinstance(a, ast.Starred)]
        if len(plain) == len(node.args):
            for first, second in zip(node.args, node.args[1:]):
                if not (is_text(first) or is_text(second)):
                    gap = text.bytes[text.end(first) : text.start(second)].decode()
                    new = text.of(second) + gap + text.of(first)
                    self.add("arg_swap", text.start(first), text.end(second), new, first.lineno)
        if isinstance(node.func, ast.Name) and node.func.id == "range" and len(node.args) == 1:
            self.replace("range_short", node.args[0], "%s - 1" % bracketed(text.of(node.args[0]), node.args[0]))
        if isinstance(node.func, ast.Name) and node.func.id in UNWRAPPED and len(node.args) == 1 and not node.keywords:
            self.replace("call_unwrap", node, text.of(node.args[0]))
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in UNWRAPPED_METHODS and not node.args:
                self.replace("call_unwrap", node, text.of(node.func.value))
            if node.func.attr == "get" and len(node.args) == 2:
                self.add("default_drop", text.end(node.args[0]), text.end(node.args[1]), "", node.lineno)
        for at, keyword in enumerate(node.keywords):
            before = (node.args + [k.value for k in node.keywords[:at]])[-1:]
            if keyword.arg and before:
                self.add("kwarg_drop", text.end(before[0]), text.end(keyword.value), "", keyword.value.lineno)

    def on_Return(self, node):
        if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            first, second = node.value.elts
            text = self.text
            new = "%s, %s" % (text.of(second), text.of(first))
            self.add("return_swap", text.start(first), text.end(second), new, node.lineno)

    def on_Break(self, node):
        self.replace("break_continue", node, "continue")

    def on_Continue(self, node):
        self.replace("break_continue", node, "break")

    def on_ExceptHandler(self, node):
        if isinstance(node.type, ast.Tuple) and len(node.type.elts) > 1:
            for part in node.type.elts:
                self.replace("except_narrow", node.type, self.text.of(part))


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_text(node):
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))


def bracketed(text, node):
    return text if isinstance(node, (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript)) else "(%s)" % text


def changed(source, change):
    return source[: change["at"][0]] + change["text"].encode() + source[change["at"][1] :]


def test_places(paths):
    """The byte range of each test method, with its decorators and its indentation."""
    places = {}
    for path in paths:
        text = Text(path)
        for group in text.tree.body:
            if not isinstance(group, ast.ClassDef):
                continue
            for node in group.body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                    first = min([node.lineno] + [d.lineno for d in node.decorator_list])
                    start, end = text.starts[first - 1], text.starts[node.end_lineno]
                    name = "%s.%s.%s" % (module_name(path), group.name, node.name)
                    places[name] = {"file": path, "class": group.name, "at": [start, end], "node": node, "text": text}
    return places


def twins_of(name, place):
    """Copies of a test that expect something slightly else, so that right code must fail them. What is
    drawn follows from the name of the test, so the same test has the same copies."""
    found, text, draw = [], place["text"], random.Random(name)
    for node in ast.walk(place["node"]):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not is_call or node.func.attr not in ("assertEqual", "assertEquals") or len(node.args) < 2:
            continue
        for below in ast.walk(node.args[1]):
            if not isinstance(below, ast.Constant) or isinstance(below.value, bool):
                continue
            at = [text.start(below), text.end(below)]
            new = other_token(text.bytes[at[0] : at[1]].decode(), below.value, draw)
            if new is not None:
                found.append({"kind": "twin", "test": name, "file": place["file"], "at": at, "text": new})
    draw.shuffle(found)
    return found[:2]


def other_token(old, value, draw):
    """Another value of the same kind, written as the old one is; None where there is none."""
    if isinstance(value, int):
        return other_number(value, draw) if old == repr(value) else None
    return other_text(old, draw) if isinstance(value, str) and evaluated(old) == value else None


def other_number(value, draw):
    """Another number. Direction and distance are drawn, so that they do not tell which one is right."""
    return repr(draw.choice([value + step for step in (-3, -2, -1, 1, 2, 3) if value + step >= 0]))


#: Letters and digits that stand for each other in twins.
LETTERS = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")


def other_letter(letter, draw):
    """A letter or digit near this one, before it or behind it."""
    row = next(row for row in LETTERS if letter in row)
    at = row.index(letter)
    return draw.choice([row[at + step] for step in (-2, -1, 1, 2) if 0 <= at + step < len(row)])


def other_text(old, draw):
    """A text with one other letter, in the quotes of the old one."""
    value = evaluated(old)
    for at in range(len(old) - 1, -1, -1):
        letter = old[at]
        if letter.isascii() and letter.isalnum() and old[at - 1 : at] != "\\":
            new = old[:at] + other_letter(letter, draw) + old[at + 1 :]
            if isinstance(evaluated(new), str) and evaluated(new) != value:
                return new
    for quote in (1, 3):
        new = old[:-quote] + "x" + old[-quote:]
        if isinstance(evaluated(new), str) and evaluated(new) != value:
            return new
    return None


def evaluated(token):
    """The value of a constant as it is written; None if it is none."""
    try:
        return ast.literal_eval("(%s)" % token)
    except (SyntaxError, ValueError):
        return None


def candidates():
    """Coverage by test, the control, and all changes of lines that some test covers."""
    known = load("tests.json")
    server = Server(trace=True)
    results, covered, ended = server.run([], set(known["passing"]), trace=True)
    broken = sorted(name for name in known["passing"] if results.get(name, ("missing",))[0] != "ok")
    if ended != "done" or broken:
        return fail("the control fails: tests that pass in a fresh process do not in the fork server: %s" % broken[:3])
    places = test_places(server.tests)
    tests = []
    for name in known["passing"]:
        if name not in places:
            known["left_out"][name] = "has no text of its own: it is inherited or made by a program"
            continue
        place = places[name]
        for path, numbers in server.imported[module_name(place["file"])].items():
            seen = covered[name]["lines"].setdefault(path, [])
            seen.extend(number for number in numbers if number not in seen)
        tests.append({"test": name, "file": place["file"], "class": place["class"], "at": place["at"],
                      "seconds": round(covered[name]["seconds"], 4), "lines": covered[name]["lines"]})
    by_line = {}
    for test in tests:
        for path, numbers in test["lines"].items():
            for line in numbers:
                by_line.setdefault((path, line), []).append(test["test"])
    found, uncovered = [], 0
    for path in server.sources:
        sites = Sites(Text(path))
        for function, operator, start, end, new, line in sites.found + sites.stubs:
            covering = by_line.get((path, line))
            kind = "stub" if operator == "stub" else "fault"
            change = {"kind": kind, "file": path, "at": [start, end], "text": new, "operator": operator,
                      "function": "%s.%s" % (module_name(path), function), "line": line}
            try:
                compile(changed(server.finder.sources[path], change), path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            if not covering:
                uncovered += 1
                continue
            found.append(dict(change, wanted=covering))
    for test in tests:
        found.extend(dict(twin, wanted=[test["test"]]) for twin in twins_of(test["test"], places[test["test"]]))
    known["alone"] = alone(server, set(known["passing"]))
    save("tests.json", known)
    save("map.json", tests)
    save("candidates.json", found)
    kinds = {kind: sum(c["kind"] == kind for c in found) for kind in ("fault", "stub", "twin")}
    return {"candidates": len(found), "uncovered": uncovered, "tests": len(tests), "kinds": kinds}


def alone(server, passing):
    """The modules of tests that pass also if no other one is imported: only those of the tests that a
    candidate needs are imported then."""
    found = []
    for module in server.modules:
        names = {name for name in passing if module in server.homes.get(name, ())}
        results, _, ended = server.run_modules([module], [], names)
        if ended == "done" and all(results.get(name, ("",))[0] == "ok" for name in names):
            found.append(module)
    return found


# Trying


def server_and_tests():
    tests = load("map.json")
    server = Server({test["test"]: test["seconds"] for test in tests}, load("tests.json")["alone"])
    return server, tests


def control(server, tests):
    """A child with a recompiled, unchanged module must pass all tests."""
    path = server.sources[0]
    names = {test["test"] for test in tests}
    results, _, ended = server.run([(path, server.finder.sources[path])], names)
    return ended == "done" and all(results.get(name, ("",))[0] == "ok" for name in names)


def judged(change, results, ended, tests):
    """What a candidate is good for: "valid", or why not."""
    if ended != "done":
        return ended, [], "", ""
    if "(import)" in results:
        return "broken import", [], "", ""
    failing = {name: result for name, result in results.items() if result[0] != "ok"}
    if change["kind"] == "twin":
        kind = failing.get(change["test"], ("ok", ""))[0]
        return ("valid" if kind == "fail" else "survived"), [change["test"]], "wrong", ""
    if not failing:
        return "survived", [], "", ""
    if any(result[0] == "skip" for result in failing.values()):
        return "skips tests", [], "", ""
    if any("MemoryError" in result[1] for result in failing.values()):
        return "fills memory", [], "", ""
    if len(failing) > len(tests) / 2:
        return "breaks too much", [], "", ""
    wrong = sorted(name for name, result in failing.items() if result[0] == "fail")
    kind = "wrong" if wrong else "crash"
    example = (wrong or sorted(failing))[0]
    return "valid", sorted(failing), kind, [example, failing[example][1]]


def tries(first, last):
    server, tests = server_and_tests()
    if not control(server, tests):
        return fail("the control fails: an unchanged module breaks tests")
    found, counts = [], {}
    for number, change in list(enumerate(load("candidates.json")))[first:last]:
        base = server.finder.sources[change["file"]]
        changes, wanted = [(change["file"], changed(base, change))], set(change["wanted"])
        results, _, ended = server.run(changes, wanted, most=len(tests) / 2)
        verdict, failing, kind, example = judged(change, results, ended, tests)
        counts[verdict] = counts.get(verdict, 0) + 1
        if verdict == "valid":
            entry = {key: change[key] for key in change if key != "wanted"}
            found.append(dict(entry, number=number, tests=failing, failure=kind, example=example))
    if not control(server, tests):
        return fail("the control fails after the candidates: one of them left something behind")
    append("tried.jsonl", found)
    return {"verdicts": counts}


# Confirming


def confirm(first, last):
    """Faults and stubs again, each in a fresh process over changed files."""
    known, tests = load("tests.json"), load("map.json")
    names = {test["test"] for test in tests}
    entries = [entry for entry in lines("tried.jsonl") if entry["kind"] != "twin"]
    kept, dropped = [], 0
    for entry in entries[first:last]:
        if confirmed([(entry["file"], changed(read(entry["file"]), entry))], known["modules"], names, entry["tests"]):
            kept.append(entry)
        else:
            dropped += 1
    append("confirmed.jsonl", kept)
    return {"of": len(entries), "kept": len(kept), "dropped": dropped}


def kept_entries():
    """The confirmed entries in the order of their numbers, each once."""
    found = {entry["number"]: entry for entry in lines("confirmed.jsonl")}
    return [found[number] for number in sorted(found)]


def confirmed(changes, modules, names, expected):
    found = fresh(changes, modules, 0, limit=30)
    if found is None:
        return False
    failing = sorted(name for name in names if found.get(name, "missing") != "ok")
    return failing == sorted(expected)


# Groups


def groups(first, last):
    """Several entries of one kind at once. Each was confirmed, and must break at least its own tests."""
    server, tests = server_and_tests()
    names = {test["test"] for test in tests}
    confirmed_entries = kept_entries()
    kept, tried = [], 0
    for number in range(first, last):
        draw = random.Random("groups/%d" % number)
        kind = "stub" if number % 4 == 3 else "fault"
        entries = [e for e in confirmed_entries if e["kind"] == kind and (kind == "stub" or e["failure"] == "wrong")]
        chosen = drawn_group(draw, entries, 2 + number // 4 % 3)
        if chosen is None:
            continue
        tried += 1
        changes = combined(server.finder.sources, chosen)
        results, _, ended = server.run(changes, names)
        failing = sorted(name for name in names if results.get(name, ("missing",))[0] != "ok")
        own = [set(entry["tests"]) for entry in chosen]
        if ended != "done" or not all(part <= set(failing) for part in own) or len(failing) > len(names) * 0.7:
            continue
        kept.append({"kind": "group", "of": kind, "parts": [entry["number"] for entry in chosen], "tests": failing})
    append("groups.jsonl", kept)
    return {"tried": tried, "kept": len(kept)}


def drawn_group(draw, entries, size):
    """Entries in different functions, none of which breaks only tests that another one breaks."""
    by_function = {}
    for entry in entries:
        by_function.setdefault(entry["function"], []).append(entry)
    if len(by_function) < size:
        return None
    functions = draw.sample(sorted(by_function), size)
    chosen = [draw.choice(by_function[function]) for function in functions]
    chosen.sort(key=lambda entry: entry["number"])
    for entry in chosen:
        others = set().union(*[set(e["tests"]) for e in chosen if e is not entry])
        if set(entry["tests"]) <= others:
            return None
    return chosen


def combined(sources, chosen):
    """The changed files of several entries."""
    texts = {}
    for entry in sorted(chosen, key=lambda entry: (entry["file"], -entry["at"][0])):
        path = entry["file"]
        texts[path] = changed(texts.get(path, sources[path]), entry)
    return sorted(texts.items())


# Inlines

#: What a helper that is written out must add: tokens that stand several times, and tokens.
MORE_CLONES, MORE_TOKENS = 40, 20


def inlines():
    """Helpers that are written out where they are called. All tests still pass, also in a fresh process, and
    more is written several times than before."""
    import clones
    import inliner

    server, tests = server_and_tests()
    names, modules = {test["test"] for test in tests}, load("tests.json")["modules"]
    sources = {path: server.finder.sources[path] for path in server.sources}
    before = measured(clones, sources)
    found = inliner.candidates(sources, project_texts(sources))
    kept = []
    for helper, stays, parts in found:
        changes = combined(sources, parts)
        try:
            after = measured(clones, {**sources, **dict(changes)})
        except SyntaxError:
            continue
        if after[0] - before[0] < MORE_CLONES or after[1] - before[1] < MORE_TOKENS:
            continue
        results, _, ended = server.run(changes, names)
        passes = ended == "done" and all(results.get(name, ("",))[0] == "ok" for name in names)
        if passes and confirmed(changes, modules, names, []):
            kept.append({"kind": "inline", "helper": helper, "kept": stays, "parts": parts,
                         "clones": [before[0], after[0]], "tokens": [before[1], after[1]]})
    append("inlines.jsonl", kept)
    return {"tried": len(found), "kept": len(kept)}


def measured(clones, sources):
    return clones.measure([sources[path].decode("utf-8-sig") for path in sorted(sources)])


def project_texts(sources):
    """The files of the project that are no sources."""
    found = []
    for directory, _, names in os.walk(ROOT):
        paths = [os.path.relpath(os.path.join(directory, name), ROOT) for name in names]
        found.extend(read(path) for path in sorted(paths) if path not in sources)
    return found


# The parts of the pack


def spans(numbers):
    """Line numbers as text: `3-5,9`."""
    parts, numbers = [], sorted(numbers)
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in parts)


def write():
    tests, known = load("map.json"), load("tests.json")
    place = {test["test"]: number for number, test in enumerate(tests)}
    sources = set(python_files(settings()["source"]))
    with open(os.path.join(STATE, "map.jsonl"), "w", encoding="utf-8") as file:
        for test in tests:
            covered = {path: spans(n) for path, n in sorted(test["lines"].items()) if path in sources}
            line = {"test": test["test"], "file": test["file"], "class": test["class"], "at": test["at"], "lines": covered}
            file.write(json.dumps(line) + "\n")
        # Those that decide nothing come last, so that they have no numbers. Nobody shall run them.
        places = test_places([path for path in python_files(settings()["tests"]) if is_test(path)])
        for name in sorted(set(known["left_out"]) & set(places)):
            line = {key: places[name][key] for key in ("file", "class", "at")}
            file.write(json.dumps(dict(line, test=name, lines={}, left_out=known["left_out"][name])) + "\n")
    twins = [entry for entry in lines("tried.jsonl") if entry["kind"] == "twin"]
    identifiers, counts = {}, {}
    with open(os.path.join(STATE, "index.jsonl"), "w", encoding="utf-8") as file:
        for entry in sorted(kept_entries() + twins, key=lambda entry: entry["number"]):
            kind = entry["kind"]
            counts[kind] = counts.get(kind, 0) + 1
            name = "%s%04d" % (kind[0], counts[kind])
            identifiers[entry["number"]] = name
            line = {"kind": kind, "id": name, "file": entry["file"], "at": entry["at"], "text": entry["text"]}
            if kind == "twin":
                line["test"] = place[entry["test"]]
            else:
                line.update(operator=entry["operator"], function=entry["function"], failure=entry["failure"],
                            tests=sorted(place[name] for name in entry["tests"]))
                line.update(example=place[entry["example"][0]], says=entry["example"][1])
            file.write(json.dumps(line) + "\n")
        for number, entry in enumerate(lines("inlines.jsonl"), 1):
            file.write(json.dumps(dict({"kind": "inline", "id": "i%04d" % number}, **entry)) + "\n")
        for number, entry in enumerate(lines("groups.jsonl"), 1):
            line = {"kind": "group", "id": "g%04d" % number, "of": entry["of"],
                    "parts": [identifiers[part] for part in entry["parts"]],
                    "tests": sorted(place[name] for name in entry["tests"])}
            file.write(json.dumps(line) + "\n")
        counts["group"] = len(lines("groups.jsonl"))
        counts["inline"] = len(lines("inlines.jsonl"))
    return {"tests": len(tests), "left_out": known["left_out"], "counts": counts}


def check(first, last):
    """Entries of a finished pack, each in a fresh process."""
    tests, entries = lines("map.jsonl"), lines("index.jsonl")
    tests = [test for test in tests if not test.get("left_out")]
    names = [test["test"] for test in tests]
    modules = sorted({module_name(test["file"]) for test in tests})
    by_id = {entry["id"]: entry for entry in entries}
    checked = [entry for entry in entries if entry["kind"] != "twin"]
    random.Random("check").shuffle(checked)
    differing = []
    if first == 0 and not confirmed([], modules, names, []):
        differing.append("the control: tests of the unchanged project fail")
    for entry in checked[first:last]:
        # The parts of an inline are changes themselves, and break nothing.
        is_inline = entry["kind"] == "inline"
        parts = entry["parts"] if is_inline else [by_id[part] for part in entry.get("parts", [entry["id"]])]
        sources = {part["file"]: read(part["file"]) for part in parts}
        expected = [names[test] for test in entry.get("tests", [])]
        if not confirmed(combined(sources, parts), modules, names, expected):
            differing.append(entry["id"])
    return {"of": len(checked), "checked": len(checked[first:last]), "differing": differing}


def together():
    """Trials of a finished pack: each is a list of changes that stand together. The answer has the numbers of the tests
    that fail with each; none if the tests did not end."""
    names = [test["test"] for test in lines("map.jsonl") if not test.get("left_out")]
    server = Server()
    results, covered, ended = server.run([], set(names), trace=True)
    if ended != "done" or any(results.get(name, ("",))[0] != "ok" for name in names):
        return fail("the control fails: tests of the unchanged project fail")
    server.times = {name: covered[name]["seconds"] for name in names}
    tests = [{"test": name} for name in names]
    found = []
    for trial in load("trials.json"):
        results, _, ended = server.run(combined(server.finder.sources, trial), set(names))
        is_whole = ended == "done" and "(import)" not in results
        failing = [number for number, name in enumerate(names) if results.get(name, ("",))[0] != "ok"]
        found.append(failing if is_whole else None)
    if not control(server, tests):
        return fail("the control fails after the trials: one of them left something behind")
    return {"failing": found}


# Names


class Words:
    """The words of a Python file: where each name stands, and what stands in texts and comments."""

    def __init__(self, source):
        self.names = {}
        self.quoted = set()
        starts, texts, at = [], source.decode().split("\n"), 0
        for text in texts:
            starts.append(at)
            at += len(text.encode()) + 1
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            row, column = token.start
            if token.type == tokenize.NAME:
                place = starts[row - 1] + len(texts[row - 1][:column].encode())
                self.names.setdefault(token.string, []).append(place)
            elif token.type not in (tokenize.OP, tokenize.NUMBER, tokenize.COMMENT):
                self.quoted.update(re.findall(r"\w+", token.string))


def local_names(source):
    """Names that are nothing but variables of functions in a file: no parameters, no attributes, and nothing that
    another file could see."""
    tree, found, other = ast.parse(source), set(), set()

    def look(table):
        for symbol in table.get_symbols():
            is_own = symbol.is_local() or symbol.is_free()
            is_plain = is_own and not (symbol.is_parameter() or symbol.is_imported() or symbol.is_declared_global())
            (found if table.get_type() == "function" and is_plain else other).add(symbol.get_name())
        for child in table.get_children():
            look(child)

    look(symtable.symtable(source.decode(), "source", "exec"))
    for node in ast.walk(tree):
        for field in ("attr", "arg", "asname", "rest", "kwd_attrs"):
            value = getattr(node, field, None)
            other.update(value if isinstance(value, list) else [value])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            other.add(node.name)
        if isinstance(node, ast.JoinedStr):
            other.update(below.id for below in ast.walk(node) if isinstance(below, ast.Name))
    return found - other


def nameable(words, sources, test_files):
    """All names that may be others: `(kind, name, files)`."""
    everywhere = set().union(*[one.quoted for one in words.values()])
    parts = {part.removesuffix(".py") for path in words for part in path.split("/")}
    found, taken = [], set()

    def add(kind, name, files):
        files = [path for path in files if name in words[path].names]
        if files and name not in parts and name not in taken:
            taken.add(name)
            found.append((kind, name, files))

    methods = {name.rpartition(".")[2] for name in test_places(test_files)}
    in_sources = set().union(*[set(words[path].names) for path in sources])
    for name in sorted(methods - everywhere - in_sources):
        add("test", name, sorted(words))
    for name in sorted(set().union(*[set(one.names) for one in words.values()]) - everywhere):
        if name.startswith("_") and not name.startswith("__") and len(name) > 1:
            add("private", name, sorted(words))
    local = {path: local_names(read(path)) for path in sources}
    for name in sorted(set().union(*local.values())):
        if not name.startswith("_") and len(name) > 1:
            add("local", name, [path for path in sources if name in local[path]])
    return found


def renamed(chosen, words):
    """The files with other names, and which test is called what."""
    edits, methods = {}, {}
    for number, (kind, name, files) in enumerate(chosen):
        new = {"test": "test_zq%d", "private": "_zq%d", "local": "zq%d"}[kind] % number
        if kind == "test":
            methods[name] = new
        for path in files:
            edits.setdefault(path, []).extend((at, len(name), new) for at in words[path].names[name])
    texts = []
    for path, places in sorted(edits.items()):
        text = read(path)
        for at, size, new in sorted(places, reverse=True):
            text = text[:at] + new.encode() + text[at + size :]
        texts.append((path, text))
    return texts, methods


def safe_names(chosen, words, modules, passing):
    """Those of some names with which all tests pass. The halves are tried if the whole is not safe."""
    texts, methods = renamed(chosen, words)
    found = fresh(texts, modules, 0)
    tests = {".".join([top, methods.get(name, name)]) for top, _, name in (test.rpartition(".") for test in passing)}
    if found is not None and all(found.get(test) == "ok" for test in tests):
        return chosen
    if len(chosen) < 2:
        return []
    middle = len(chosen) // 2
    halves = [safe_names(half, words, modules, passing) for half in (chosen[:middle], chosen[middle:])]
    whole = halves[0] + halves[1]
    if len(whole) == len(chosen):
        return max(halves, key=len)
    return safe_names(whole, words, modules, passing) if all(halves) else whole


def names():
    """Which names can be others, and where they stand: in files, and in the texts of entries."""
    spec, known = settings(), load("tests.json")
    sources = python_files(spec["source"])
    test_files = [path for path in python_files(spec["tests"]) if is_test(path)]
    words = {path: Words(read(path)) for path in sorted(set(sources + python_files(spec["tests"])))}
    places = entry_places()
    # What is a variable of the file may be something else in the text of an entry.
    other = {name for place in places for name in set(place["names"]) - place["locals"]}
    found = [one for one in nameable(words, sources, test_files) if one[0] != "local" or one[1] not in other]
    chosen = safe_names(found, words, known["modules"], known["passing"])
    by_file = {}
    for place in places:
        by_file.setdefault(place["file"], []).append(place)
    with open(os.path.join(STATE, "names.jsonl"), "w", encoding="utf-8") as file:
        for kind, name, files in chosen:
            line = {"name": name, "kind": kind, "files": {path: words[path].names[name] for path in files}, "entries": {}}
            for path in files:
                for place in by_file.get(path, []):
                    if name in place["names"]:
                        line["entries"][place["id"]] = place["names"][name]
            file.write(json.dumps(line) + "\n")
    return {"names": len(chosen)}


def entry_places():
    """The changes of the index and the places of slow forms, with the names in their texts."""
    places = [entry for entry in lines("index.jsonl") if entry["kind"] not in ("group", "inline")]
    for form in lines("slow.jsonl"):
        for number, place in enumerate(form["places"], 1):
            places.append(dict(place, id=form["id"] if len(form["places"]) == 1 else "%s.%d" % (form["id"], number)))
    for place in places:
        first, size = place["at"][0], len(place["text"].encode())
        source = changed(read(place["file"]), place)
        found, place["locals"] = Words(source).names, local_names(source)
        inside = {name: [at - first for at in all_at if first <= at < first + size] for name, all_at in found.items()}
        place["names"] = {name: inside_at for name, inside_at in inside.items() if inside_at}
    return places


STEPS = {"baseline": baseline, "names": names, "candidates": candidates, "try": tries, "confirm": confirm, "groups": groups,
         "inlines": inlines, "write": write, "check": check, "together": together}


def main():
    os.makedirs(STATE, exist_ok=True)
    name, numbers = sys.argv[1], [int(argument) for argument in sys.argv[2:]]
    sys.dont_write_bytecode = True
    out = os.fdopen(os.dup(1), "w")
    answer = STEPS[name](*numbers)
    out.write("\n" + json.dumps(answer) + "\n")
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
