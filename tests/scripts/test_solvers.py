"""Every solver has the order that it declares, and docs/solvers.md says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from samplers import orders, solver_page
from samplers.closed_form import SPACED
from samplers.orders import ALLOWED, ENTRIES, FLOW, Entry
from scorematching import samplers
from scorematching.samplers import Euler, Heun
from scripts import solvers

PAGE = solvers.PAGE.read_text("utf-8")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.slug)
def test_the_order_is_the_declared_one_and_on_the_page(entry: Entry) -> None:
    found = [*orders.measured(entry)]
    off = [(where, o) for where, o in found if not abs(o - entry.example.order) <= ALLOWED]
    assert off == []
    assert len(entry.steps) >= 5
    row = solver_page.row(entry, [o for _, o in found])
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| {entry.name} |")]
    assert len(lines) == 1
    assert solver_page.same_row(lines[0], row), f"run `make solvers`\n{lines[0]}\n{row}"


def test_the_rest_of_the_page_is_current() -> None:
    fresh = solver_page.render({entry.name: [0.0] for entry in ENTRIES})
    assert solver_page.without_table(PAGE) == solver_page.without_table(fresh), "run `make solvers`"
    assert PAGE.count("\n| ") == fresh.count("\n| ")


def test_no_solver_is_missing_from_the_page() -> None:
    public = {each for each in vars(samplers).values() if isinstance(each, type)}
    solves = {each for each in public if hasattr(each, "order") and hasattr(each, "draws")}
    # Langevin runs at a fixed level, and the two protocols and Solve are what solvers fit into.
    others = {
        samplers.AnnealedLangevin,
        samplers.UnadjustedLangevin,
        samplers.Solve,
        samplers.Solver,
        samplers.Step,
    }
    assert {type(entry.example) for entry in ENTRIES} == solves - others


def test_a_solver_that_misses_its_order_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Euler, "order", 2)
    few, one = (12, 14, 16, 20, 24), SPACED[:1]
    entries = (
        Entry("Euler", FLOW, lambda h: Euler(), few, spaced=one),
        Entry("Heun", FLOW, lambda h: Heun(), few, spaced=one),
    )
    for module in (orders, solver_page):
        monkeypatch.setattr(module, "ENTRIES", entries)
    assert solvers.main(tmp_path / "page.md") == 1
    said = capsys.readouterr().out
    assert "Euler: declared 2, measured" in said
    assert "Heun" not in said
    assert "| Heun | flow | 2 | " in (tmp_path / "page.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("| Heun | 1.99–2.01 | 32–128 |", True),
        ("| Heun | 2.00–2.02 | 32–128 |", True),
        ("| Heun | 1.99–2.04 | 32–128 |", False),
        ("| Heun | 1.99–2.01 | 32–64 |", False),
        ("| Euler | 1.99–2.01 | 32–128 |", False),
    ],
)
def test_rows_are_compared_but_for_rounding(other: str, same: bool) -> None:
    assert solver_page.same_row("| Heun | 1.99–2.01 | 32–128 |", other) is same
