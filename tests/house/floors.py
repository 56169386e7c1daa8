"""The floors of the package, read off its imports: arrows run down only."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "scorematching"

# Top to bottom. A room is a folder or a file directly under the package; rooms on one line may
# import each other where no circle arises.
FLOORS = """
    cli          __main__
    report
    estimators
    fitted fitting preparing
    preprocessing saved forms conditioning guiding training_rows sources surveying
    batched      denoising    defaults  settling   configuration  streaming
    evaluate     information  inverse
    likelihood   samplers
    training     estimation
    nets         objectives
    families     domains      noise     densities  data
    structured   hutchinson   calculus
    storage      shapes       typing    random     errors
"""

# Downward, and forbidden all the same.
NEVER = {("samplers", "training"), ("estimation", "nets"), ("estimation", "training")}


class Import(NamedTuple):
    """One import inside the package: the file and line it stands in, and the two rooms."""

    where: str
    importer: str
    imported: str


def floor_of(table: str = FLOORS) -> dict[str, int]:
    """Room → floor, counted from the top."""
    lines = [line.split() for line in table.strip().splitlines()]
    return {room: floor for floor, rooms in enumerate(lines) for room in rooms}


def _targets(node: ast.AST, package: list[str]) -> list[str]:
    """The dotted names that one statement imports, relative ones resolved against package."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join(base + ([node.module] if node.module else []))
        if module == PACKAGE:
            return [f"{module}.{alias.name}" for alias in node.names]
        return [module]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return [first.value]
    return []


def imports(root: Path) -> Iterator[Import]:
    """Every import of one room by another in the package folder root.

    The index, ``__init__.py`` of the package itself, is left out: it resolves names of all floors,
    lazily, and nothing below may import from it.
    """
    for file in sorted(root.rglob("*.py")):
        inside = file.relative_to(root).with_suffix("").parts
        if inside == ("__init__",):
            continue
        package = [PACKAGE, *inside[:-1]]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for target in _targets(node, package):
                parts = target.split(".")
                if parts[0] != PACKAGE:
                    continue
                imported = parts[1] if len(parts) > 1 else ""
                if imported.startswith("__") or imported == inside[0]:
                    continue
                where = f"{file.relative_to(root).as_posix()}:{node.lineno}"
                yield Import(where, inside[0], imported)


def violations(root: Path) -> list[str]:
    """What breaks the floors in the package folder root, a line each; empty if they hold."""
    floors = floor_of()
    found: list[str] = []
    edges: dict[str, set[str]] = {}
    rooms = {f.stem for f in root.glob("*.py")} | {f.parent.name for f in root.glob("*/*.py")}
    unknown = sorted(rooms - {*floors, "__init__"})
    found += [f"{room}: not in the table of floors" for room in unknown]
    for where, importer, imported in imports(root):
        if imported not in floors:
            found.append(f"{where}: imports {imported or 'the index'}, which is no room")
        elif importer in floors:
            if floors[imported] < floors[importer]:
                found.append(f"{where}: {importer} imports {imported}, which lies above it")
            if (importer, imported) in NEVER:
                found.append(f"{where}: {importer} never imports {imported}")
            edges.setdefault(importer, set()).add(imported)
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        found.append("circle of rooms: " + " → ".join(error.args[1]))
    return found
