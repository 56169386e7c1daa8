"""The public names, room by room, as a page that links each to where it is described."""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType

#: The index, and the rooms that a user may enter; those of the index come first.
INDEX = "scorematching"
OTHERS = ("estimators", "data", "training", "storage")


def rooms() -> list[ModuleType]:
    """The index, its rooms, and those that it does not name."""
    index = importlib.import_module(INDEX)
    named = [name for name in index.__all__ if inspect.ismodule(getattr(index, name))]
    inside = [importlib.import_module(f"{INDEX}.{name}") for name in [*named, *OTHERS]]
    return [index, *(room for room in inside if hasattr(room, "__all__"))]  # some are empty yet


def public(room: ModuleType) -> dict[str, object]:
    """The names of a room that are no rooms themselves."""
    found = {name: getattr(room, name) for name in room.__all__ if not name.startswith("__")}
    return {name: value for name, value in found.items() if not inspect.ismodule(value)}


def home(value: object) -> str | None:
    """The full name under which a class or function is described; None for a constant."""
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return None
    return f"{value.__module__}.{value.__qualname__}"


def page() -> str:
    """The page, as MyST."""
    return "\n".join(line for room in rooms() for line in _section(room))


def _section(room: ModuleType) -> list[str]:
    name = room.__name__.removeprefix(f"{INDEX}.")
    title = "The index" if room.__name__ == INDEX else name
    spelled = "sm" if room.__name__ == INDEX else f"sm.{name}"
    if name in OTHERS:
        spelled = room.__name__
    head = [f"## {title}", "", _first(room), "", f"| `{spelled}.` | |", "|---|---|"]
    body = [_row(each, value) for each, value in sorted(public(room).items(), key=_by_letter)]
    return [*head, *body, ""]


def _row(name: str, value: object) -> str:
    where = home(value)
    if where is None:
        shown = f"`{value}`" if isinstance(value, int) else f"a `{type(value).__name__}`"
        words = _first(value) if type(value).__module__.startswith(INDEX) else shown
        return f"| `{name}` | {words} |"
    return f"| {{py:obj}}`{name} <{where}>` | {_first(value)} |"


def _first(value: object) -> str:
    """The first paragraph of a docstring, as one line of a table."""
    paragraph = (inspect.getdoc(value) or "").split("\n\n")[0]
    line = " ".join(paragraph.split()).replace("``", "`")
    parts = re.split(r"(`[^`]*`)", line)
    parts[::2] = [re.sub(r"([*_<$\[\]{}])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts).replace("|", "\\|")


def _by_letter(item: tuple[str, object]) -> tuple[str, str]:
    return item[0].lower(), item[0]
