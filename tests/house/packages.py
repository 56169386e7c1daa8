"""What the project depends on, read off the metadata of the installed packages."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(root: str) -> dict[str, set[str]]:
    """Every package that root leads to, with all its extras: name → the names that ask for it.

    A package that is required on this platform and not installed is in it as well.
    """
    askers: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    extras = distribution(root).metadata.get_all("Provides-Extra") or []
    stack = [(root, extra) for extra in ["", *extras]]
    while stack:
        name, extra = stack.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                required = canonicalize_name(requirement.name)
                askers.setdefault(required, set()).add(name)
                stack += [(required, wanted) for wanted in ["", *requirement.extras]]
    return askers


def requirement_names(lines: Iterable[str]) -> list[str]:
    """The package names of requirement lines, comments and empty lines left out."""
    bare = filter(None, (line.split("#")[0].strip() for line in lines))
    return [canonicalize_name(re.split(r"[\s\[<>=!~;@]", line, maxsplit=1)[0]) for line in bare]


def undeclared_imports(files: Iterable[Path], declared: set[str], own: set[str]) -> list[str]:
    """Imports of packages that are installed here by chance and declared nowhere."""
    providers = packages_distributions()
    found: list[str] = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for top in {module.split(".")[0] for module in modules} - own:
                known = {canonicalize_name(name) for name in providers.get(top, [top])}
                if top not in sys.stdlib_module_names and not known & declared:
                    found.append(f"{file.name}:{node.lineno}: {top}")
    return found
