"""Charts: there and back, and volume factors against autograd's log-determinants."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from domains.laws import dirichlet
from scorematching.domains import AdditiveLogRatio, Chart, Log, Logit, SquareRoot
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded

DOUBLE = torch.float64
PARTS = dirichlet(20, [0.7, 1.5, 2.5, 1.0]).draws
REALS = normal((20, 4), torch.zeros(1, dtype=DOUBLE), seeded("reals"))

CASES: list[tuple[Chart, Tensor]] = [
    (SquareRoot(), PARTS),
    (AdditiveLogRatio(), PARTS),
    (Log(), REALS.exp()),
    (Logit(), REALS.sigmoid()),
    (Logit(-1.0, 3.0), 4 * REALS.sigmoid() - 1),
]


@pytest.mark.parametrize(("chart", "x"), CASES, ids=[str(c) for c, _ in CASES])
def test_there_and_back(chart: Chart, x: Tensor) -> None:
    chart.check(x)
    z = chart.forward(x)
    torch.testing.assert_close(chart.inverse(z), x)
    torch.testing.assert_close(chart.forward(chart.inverse(z)), z)


def log_volume(function, u: Tensor) -> Tensor:
    """½ log det JᵀJ of a map u ``(k,)`` → ``(d,)``, row by row."""
    rows = [torch.func.jacfwd(function)(row) for row in u]
    return torch.stack([torch.linalg.slogdet(j.mT @ j)[1] / 2 for j in rows])


@pytest.mark.parametrize(
    ("chart", "constant"),
    [(AdditiveLogRatio(), math.log(4) / 2), (Log(), 0.0), (Logit(-1.0, 3.0), 4 * math.log(4.0))],
    ids=str,
)
def test_the_volume_factor_is_the_log_determinant_of_autograd(
    chart: Chart, constant: float
) -> None:
    z = REALS[:, :3] if isinstance(chart, AdditiveLogRatio) else REALS
    expected = log_volume(lambda row: chart.inverse(row[None])[0], z)
    torch.testing.assert_close(chart.log_abs_det(z) + constant, expected)


def test_the_volume_factor_of_square_roots_compares_two_curved_areas() -> None:
    """Both surfaces by their first d−1 coordinates u = (z₁, …): dS(x)/dS(z) = 2^(d−1) √d ∏ zⱼ."""
    u = PARTS.sqrt()[:, :3]

    def sphere(u: Tensor) -> Tensor:
        return torch.cat([u, (1 - u @ u).sqrt()[None]])

    expected = log_volume(lambda u: sphere(u) ** 2, u) - log_volume(sphere, u)
    measured = SquareRoot().log_abs_det(PARTS.sqrt())
    torch.testing.assert_close(measured + math.log(8) + math.log(4) / 2, expected)


def test_the_log_ratio_is_to_the_last_part() -> None:
    x = torch.tensor([[0.2, 0.3, 0.5]], dtype=DOUBLE)
    expected = [[math.log(0.2 / 0.5), math.log(0.3 / 0.5)]]
    torch.testing.assert_close(AdditiveLogRatio().forward(x), torch.tensor(expected, dtype=DOUBLE))


def test_far_out_nothing_overflows() -> None:
    z = torch.tensor([[800.0, -800.0]], dtype=DOUBLE)
    assert AdditiveLogRatio().inverse(z).isfinite().all()
    assert AdditiveLogRatio().log_abs_det(z).isfinite().all()
    assert Logit().log_abs_det(z).isfinite().all()


@pytest.mark.parametrize(
    ("chart", "row", "complaint"),
    [
        (SquareRoot(), [0.5, -0.5], r"at least 0: got -0\.5 \(row 1, column 1\)"),
        (AdditiveLogRatio(), [0.0, 1.0], r"positive: got 0 \(row 1, column 0\)\. Use FlatSimplex"),
        (Log(), [1.0, 0.0], r"positive: got 0 \(row 1, column 1\)\. Use PositiveOrthant"),
        (Logit(), [0.3, 1.0], r"strictly between 0 and 1: got 1 \(row 1, column 1\)\. Use Box"),
    ],
    ids=str,
)
def test_a_row_without_coordinates_is_named(chart: Chart, row: list[float], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        chart.check(torch.tensor([[0.5, 0.5], row], dtype=DOUBLE))


@pytest.mark.parametrize("sides", [(1.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_an_interval_that_is_none_is_refused(sides: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="expected −∞ < low < high < ∞"):
        Logit(*sides)
