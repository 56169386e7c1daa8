"""What the scripts of ``examples/`` keep to, and what belongs to each of them."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from scripts.gallery import MAX_BYTES

import scorematching as sm

MAX_LINES = 80
WRITTEN = {"compute", "draw"}


def breaches(script: Path) -> Iterator[str]:
    """Where a script breaks the rules: its length, its functions, and the names it uses."""
    text = script.read_text("utf-8")
    tree = ast.parse(text)
    lines = len(text.splitlines())
    if lines > MAX_LINES:
        yield f"{script.name}: {lines} lines, expected at most {MAX_LINES}"
    if not ast.get_docstring(tree):
        yield f"{script.name}: no docstring"
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in sorted(WRITTEN - {*functions}):
        yield f"{script.name}: no function {name}"
    if "compute" in functions:
        arguments = [each.arg for each in functions["compute"].args.args]
        if arguments != ["quick", "seed"]:
            yield f"{script.name}: compute takes {arguments}, expected quick and seed"
    for node in ast.walk(tree):
        for name in private(node):
            yield f"{script.name}:{node.lineno}: {name}"


def private(node: ast.AST) -> Iterator[str]:
    """What one node takes from the package that is not public, and its private attributes."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == "scorematching" and (
                (alias.name, alias.asname) != ("scorematching", "sm")
            ):
                yield f"imports {alias.name}, expected `import scorematching as sm`"
    elif isinstance(node, ast.ImportFrom):
        if (node.module or "").split(".")[0] == "scorematching" or node.level:
            yield "imports from the package, expected `import scorematching as sm`"
    elif isinstance(node, ast.Attribute):
        dunder = node.attr.startswith("__") or node.attr in {"_asdict", "_replace"}
        if node.attr.startswith("_") and not dunder:
            yield f"{node.attr} is private"
        name = ast.unparse(node)
        if re.fullmatch(r"sm(\.\w+)+", name) and not public(name.split(".")[1:]):
            yield f"{name} is no public name"


def public(path: list[str]) -> bool:
    """Whether ``sm.a`` is in the index, and ``sm.a.b`` in the index of a room or part of a name."""
    if path[0] not in sm.__all__:
        return False
    value = getattr(sm, path[0])
    if len(path) == 1 or not hasattr(value, "__path__"):
        return True
    return path[1] in importlib.import_module(value.__name__).__all__


def missing(top: Path, table: Collection[str]) -> Iterator[str]:
    """What the scripts of a checkout lack: a line in the table, a page, a picture, a test."""
    scripts = {script.stem for script in (top / "examples").glob("*.py")}
    for name in sorted({*table} - scripts):
        yield f"{name}: in the table of demos, and no script of examples/"
    pages = top / "docs" / "examples"
    gallery = (pages / "index.md").read_text("utf-8") if (pages / "index.md").is_file() else ""
    for name in sorted(scripts):
        page, picture = f"docs/examples/{name}.md", f"docs/images/examples/{name}.png"
        if name not in table:
            yield f"{name}: not in the table of demos, scorematching.cli.examples.EXAMPLES"
        for file in (page, picture, f"tests/examples/test_{name}.py"):
            if not (top / file).is_file():
                yield f"{name}: no {file}"
            elif file == picture and (size := (top / file).stat().st_size) > MAX_BYTES:
                yield f"{picture}: {size:,} bytes, expected at most {MAX_BYTES:,}"
            elif file == page and f"{name}.png" not in (top / file).read_text("utf-8"):
                yield f"{page}: does not show {picture}"
        for words in (f"]({name}.md)", f"images/examples/{name}.png", f"\n{name}\n"):
            if words not in gallery:
                yield f"{name}: no {words.strip()!r} in docs/examples/index.md"
