"""Runs tools in processes of their own, with one library."""
import base64, importlib, os, runpy, shutil, signal, sys, tempfile

loaded = {}


def load(root, library):
    """Imports the library once, unless it is there, so that no run has to compile it."""
    if library not in sys.modules or loaded.get(library) != open(os.path.join(root, library, "__init__.py")).read():
        loaded[library] = open(os.path.join(root, library, "__init__.py")).read()
        sys.modules.pop(library, None)
        sys.path.insert(0, root)
        importlib.invalidate_caches()
        importlib.import_module(library)
        sys.path.remove(root)


def once(root, tool, case):
    """Runs a tool in a directory with the files of a case. Its output, exit code and the files that it leaves."""
    place = tempfile.mkdtemp()
    for name, content in case["files"].items():
        with open(os.path.join(place, name), "wb") as file:
            file.write(base64.b64decode(content))
    child = os.fork()
    if not child:
        code = 1
        try:
            os.chdir(place)
            out = os.open(place + ".out", os.O_WRONLY | os.O_CREAT)
            os.dup2(out, 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.alarm(10)
            sys.path[:] = [path for path in sys.path if path != "/work"]
            sys.argv, path = [tool + ".py", *case["args"]], os.path.join(root, "tools", tool + ".py")
            runpy.run_path(path, run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            code = 1
        finally:
            sys.stdout.flush()
            os._exit(code & 255)
    status = os.waitpid(child, 0)[1]
    files = {}
    for name in sorted(os.listdir(place)):
        if os.path.isfile(os.path.join(place, name)):
            with open(os.path.join(place, name), "rb") as file:
                files[name] = base64.b64encode(file.read()).decode()
    with open(place + ".out", "rb") as file:
        out = file.read(60000).decode("utf-8", "replace")
    shutil.rmtree(place)
    return {"out": out, "code": os.waitstatus_to_exitcode(status), "files": files}
