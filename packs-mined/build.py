#!/usr/bin/env python3
"""Builds packs of the projects that pins.toml pins: `build.py [NAME...]`, all of them without a name.

pip downloads the source distribution and compares its SHA-256 before it reads it. `synthd pack add`,
`pack mine` and `pack check` do the rest, in sandboxes. A pack that is there already is kept, and one
whose build was ended is gone on with. The exit code is 1 if a pack could not be built.
"""

import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent


class Failure(Exception):
    """Why a pack cannot be built, and what to do."""


def pins(names):
    """The pins with these names, or all."""
    with open(HERE / "pins.toml", "rb") as file:
        known = {pin["name"]: pin for pin in tomllib.load(file)["pack"]}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure("no pin is called %s; known: %s" % (", ".join(unknown), ", ".join(known)))
    return [known[name] for name in names or known]


def run(*command):
    """Runs a program and shows what it says."""
    command = [str(part) for part in command]
    code = subprocess.run(command, check=False).returncode
    if code != 0:
        raise Failure("`%s` ended with %d" % (" ".join(command[:3]), code))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sdist(pin, directory):
    """The source distribution in a directory; it is downloaded if it is not there."""
    path = directory / pin["sdist"]
    if not path.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("%s==%s --hash=sha256:%s\n" % (pin["name"], pin["version"], pin["sha256"]))
            file.flush()
            # Only this project must be a source distribution: pip also gets what builds it.
            run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
                "--no-binary", pin["name"], "--dest", directory, "--requirement", file.name)
    if not path.is_file():
        raise Failure("pip left no %s in %s" % (path.name, directory))
    if digest(path) != pin["sha256"]:
        raise Failure("%s has another SHA-256 than pins.toml says; remove it" % path)
    return path


def options(pin):
    """What `pack add` is told of a project."""
    found = []
    for key in ("name", "version", "licence", "summary"):
        found += ["--" + key, pin[key]]
    for key, option in (("source", "source"), ("tests", "tests"), ("docs", "docs"), ("deselected", "deselect")):
        for value in pin[key]:
            found += ["--" + option, value]
    return found


def is_added(pin, folder):
    """Whether the folder has the pinned project. Failure if it has another one."""
    if not folder.exists():
        return False
    with open(folder / "pack.toml", "rb") as file:
        head = tomllib.load(file)
    if head.get("source_sha256") != pin["sha256"]:
        raise Failure("%s is made of another archive; remove it" % folder)
    return True


def build(pin, arguments):
    """Builds a pack."""
    folder = arguments.into / pin["name"]
    if not is_added(pin, folder):
        archive = sdist(pin, arguments.into / "sdists")
        run(arguments.synthd, "pack", "add", archive, *options(pin), "--dir", arguments.into)
    if not (folder / "notices").read_text(encoding="utf-8").strip():
        raise Failure("%s has no licence in its archive, so its tasks could carry none" % pin["name"])
    if (folder / "index.jsonl").stat().st_size == 0:
        run(arguments.synthd, "pack", "mine", folder)
    run(arguments.synthd, "pack", "check", pin["name"], "--packs", arguments.into)


def main():
    parser = argparse.ArgumentParser(description="Builds packs of the projects that pins.toml pins.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a pack; all without a name")
    parser.add_argument("--synthd", default="synthd", help="the program (default: synthd)")
    parser.add_argument("--into", type=pathlib.Path, default=HERE / "built", metavar="DIR",
                        help="where the packs go (default: packs-mined/built)")
    arguments = parser.parse_args()
    failed = []
    try:
        wanted = pins(arguments.names)
    except Failure as failure:
        parser.error(str(failure))
    for pin in wanted:
        print("== %s %s" % (pin["name"], pin["version"]), flush=True)
        try:
            build(pin, arguments)
        except (Failure, OSError, tomllib.TOMLDecodeError) as failure:
            print("%s: %s" % (pin["name"], failure), file=sys.stderr)
            failed.append(pin["name"])
    if failed:
        print("not built: %s" % ", ".join(failed), file=sys.stderr)
        return 1
    print("use them with: --packs %s --templates %s" % (arguments.into, HERE / "templates" / "NAME"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
