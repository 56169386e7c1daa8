"""Every claim of docs/contract.md holds, the page is current, and a false claim would show."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

from claims import claim as kinds
from claims import page
from claims.claim import Claim, Outcome
from scorematching.random import seeded
from scripts import contract

CLAIMS = tuple(page.all_claims())


@functools.cache
def outcome(claim: Claim) -> Outcome:
    return claim.check()


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_the_claim_holds(claim: Claim) -> None:
    assert outcome(claim).holds, outcome(claim)


def test_the_page_is_current() -> None:
    checked = [(claim, outcome(claim)) for claim in CLAIMS]
    difference = page.difference(contract.PAGE.read_text("utf-8"), page.render(checked))
    assert not difference, f"run `make contract`\n{difference}"


def test_no_two_claims_say_the_same() -> None:
    assert len({str(claim) for claim in CLAIMS}) == len(CLAIMS)


def draws(mean: float) -> torch.Tensor:
    z = torch.randn(10_000, generator=seeded("draws"), dtype=torch.float64)
    return mean + (z - z.mean()) / z.std()  # mean and variance as asked for, exactly


@pytest.mark.parametrize(
    ("holds", "fails"),
    [
        (kinds.equal(1 + 1e-10, 1.0), kinds.equal(1 + 1e-8, 1.0)),
        (kinds.equal(torch.ones(2), torch.ones(2)), kinds.equal(torch.ones(2, 1), torch.ones(2))),
        (kinds.zero(torch.tensor(1e-10), 1.0), kinds.zero(torch.tensor(1e-8), 1.0)),
        (kinds.average(draws(0.039), 0.0), kinds.average(draws(0.041), 0.0)),
        (kinds.spread(draws(0.0), 1.0), kinds.spread(1.1 * draws(0.0), 1.0)),
        (kinds.same("a", "a"), kinds.same("a", "b")),
        (
            kinds.argmin(draws(-1.0), draws(0.0), draws(1.0)),
            kinds.argmin(draws(1.0), draws(0.0), draws(-1.0)),
        ),
        (
            kinds.argmin(draws(-1.0), draws(0.03), draws(1.0)),
            kinds.argmin(draws(-1.0), draws(0.05), draws(1.0)),
        ),
        (
            kinds.argmin_exact(*map(torch.tensor, (-1.0, 0.0, 1.0))),
            kinds.argmin_exact(*map(torch.tensor, (-1.0, 1e-6, 1.0))),
        ),
        (
            kinds.argmin_exact(*map(torch.tensor, (-1.0, 0.0, 1.0))),
            kinds.argmin_exact(*map(torch.tensor, (-1.0, 0.0, -1.0))),
        ),
    ],
)
def test_each_kind_of_check_can_fail(holds: Outcome, fails: Outcome) -> None:
    assert holds.holds
    assert not fails.holds


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_fails(value: float) -> None:
    bad = torch.full((10,), value, dtype=torch.float64)
    good = draws(1.0)
    checks = [
        kinds.equal(bad, good[:10]),
        kinds.zero(bad, 1.0),
        kinds.average(bad, 0.0),
        kinds.spread(bad, 1.0),
        kinds.argmin(-good, bad, good),
        kinds.argmin_exact(-good[0], bad[0], good[0]),
    ]
    assert not any(check.holds for check in checks)


ROW = "| a row, 4 draws | x² | 1.25 | 1.25001 | z = +0.31 | yes |"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ROW, True),
        (ROW.replace("1.25001", "1.25002"), True),
        (ROW.replace("0.31", "0.32"), True),
        (ROW.replace("1.25001", "1.26"), False),
        (ROW.replace("0.31", "0.41"), False),
        (ROW.replace("+0.31", "-0.31"), False),
        (ROW.replace("yes", "**no**"), False),
        (ROW.replace("x²", "x³"), False),
        (ROW + "\n" + ROW, False),
    ],
)
def test_pages_are_compared_but_for_rounding(other: str, same: bool) -> None:
    assert (page.difference(ROW, other) == "") is same


def test_a_relative_error_is_not_compared_but_its_verdict_is() -> None:
    row = "| a | b | 1 | 1 | 3e-16 relative | yes |"
    assert page.difference(row, row.replace("3e-16", "0e+00")) == ""
    assert page.difference(row, row.replace("yes", "**no**")) != ""


def test_the_script_writes_the_page_and_reports_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true = Claim("esm", "one is one", "1", lambda: kinds.equal(1.0, 1.0))
    false = Claim("esm", "one is two", "2", lambda: kinds.equal(1.0, 2.0))
    monkeypatch.setattr(page, "all_claims", lambda: iter([true]))
    assert contract.main(tmp_path / "page.md") == 0
    monkeypatch.setattr(page, "all_claims", lambda: iter([true, false]))
    assert contract.main(tmp_path / "page.md") == 1
    assert "esm: one is two: expected 2, got 1" in capsys.readouterr().out
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "1 of 2 claims hold" in text
    assert "| one is two | 2 | 2 | 1 | 5e-01 relative | **no** |" in text
