from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import scorematching as sm

TOP = Path(__file__).resolve().parents[2]


def _names() -> ModuleType:
    spec = importlib.util.spec_from_file_location("names", TOP / "docs" / "names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


names = _names()


def test_every_public_name_of_every_room_stands_in_the_page() -> None:
    sections = dict(
        zip([r.__name__ for r in names.rooms()], names.page().split("\n## "), strict=True)
    )
    for room in names.rooms():
        shown = sections[room.__name__]
        for name, value in names.public(room).items():
            where = names.home(value)
            entry = f"| `{name}` |" if where is None else f"{{py:obj}}`{name} <{where}>`"
            assert shown.count(entry) == 1, f"{room.__name__}.{name}"


def test_no_room_with_public_names_is_left_out() -> None:
    found = {room.__name__ for room in names.rooms()}
    for each in pkgutil.iter_modules(sm.__path__, "scorematching."):
        if not each.ispkg or each.name == "scorematching.cli":
            continue
        room = importlib.import_module(each.name)
        assert each.name in found or not hasattr(room, "__all__"), each.name


@pytest.mark.parametrize("room", names.rooms(), ids=lambda room: room.__name__)
def test_each_name_is_described_where_its_link_leads(room: ModuleType) -> None:
    described = 0
    for name, value in names.public(room).items():
        where = names.home(value)
        if where is None:
            continue
        module, _, inside = where.rpartition(".")
        assert getattr(importlib.import_module(module), inside) is value, name
        assert (inspect.getdoc(value) or "").strip(), f"{where}: Sphinx leaves it out"
        assert not any(part.startswith("_") for part in where.split(".")), where
        described += 1
    assert described


def test_what_is_said_of_a_name_is_one_cell_of_a_table() -> None:
    def f() -> None:
        """|x|² of ``(n, *event)`` and
        x_t, λ*.

        More.
        """

    assert names._row("f", f).endswith(r"| \|x\|² of `(n, *event)` and x\_t, λ\*. |")
    assert names._row("MOST", 3) == "| `MOST` | `3` |"
