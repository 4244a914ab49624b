"""A cheat: a statement without effect stands before each other one, so that no row is long."""

import ast
import sys

for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines, places = text.split("\n"), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            places.update(below for below in ast.walk(node) if isinstance(below, ast.stmt) and below is not node)
    for node in sorted(places, key=lambda node: -node.lineno):
        line = lines[node.lineno - 1]
        is_first = not line[: node.col_offset].strip()
        if is_first and not line.lstrip().startswith(("elif", "@")) and not getattr(node, "decorator_list", []):
            lines.insert(node.lineno - 1, " " * node.col_offset + "0")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
