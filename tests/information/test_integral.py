"""The midpoint rule in ln σ, its tails and its errors, on integrands whose integrals are known."""

from __future__ import annotations

import math

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.information.integral import Midpoints
from scorematching.noise import EDM, VP
from scorematching.random import normal, seeded

F64 = torch.float64


def bump(levels: torch.Tensor) -> torch.Tensor:
    """2σ²/(1 + σ²)², whose integral over all ln σ is 1 and over [a, b] 1/(1 + a²) − 1/(1 + b²)."""
    return 2 * levels**2 / (1 + levels**2) ** 2


def shifted(n: int, centre: float) -> tuple[float, float, float]:
    """The error of n midpoints over [0.001, 1000], its estimate, and the tails left out."""
    nodes = Midpoints.between(EDM(0.001, 1000.0), n, None, None)
    result = nodes.integral(bump(nodes.levels / centre)[:, None].expand(n, 2))
    inside = 1 / (1 + (0.001 / centre) ** 2) - 1 / (1 + (1000.0 / centre) ** 2)
    return abs(result.value - inside), result.step_error, result.below + result.above


@pytest.mark.parametrize(("n", "bound"), [(12, 2e-2), (18, 1e-3), (24, 1e-4), (36, 1e-5)])
def test_the_midpoints_converge_exponentially(n: int, bound: float) -> None:
    assert shifted(n, 1.0)[0] < bound


@pytest.mark.parametrize("n", [8, 12, 16, 24])
def test_the_step_error_bounds_the_error_wherever_the_bump_lies(n: int) -> None:
    cases = [shifted(n, math.exp(0.1 * k)) for k in range(-10, 11)]
    for error, estimated, tails in cases:
        assert error <= estimated + tails
    # The error swings with the place; the estimate is an upper one of the largest.
    largest, tails = max(case[0] for case in cases), max(case[2] for case in cases)
    assert all(estimated < 50 * (largest + tails) for _, estimated, _ in cases)


def test_the_tails_are_what_the_ends_leave_out() -> None:
    nodes = Midpoints.between(EDM(0.01, 100.0), 40, 0.05, 20.0)
    result = nodes.integral(bump(nodes.levels)[:, None].expand(40, 2))
    assert result.below == pytest.approx(1 - 1 / (1 + 0.05**2), rel=0.01)
    assert result.above == pytest.approx(1 / (1 + 20.0**2), rel=0.01)


def test_a_row_counts_once_however_its_levels_agree() -> None:
    """Rows that are high at all levels together: the error is that of their sums."""
    nodes = Midpoints.between(EDM(0.01, 100.0), 16, None, None)
    height = 1 + normal((500,), torch.zeros((), dtype=F64), seeded("rows"))
    result = nodes.integral(bump(nodes.levels)[:, None] * height)
    assert result.standard_error == pytest.approx(height.std().item() / math.sqrt(500), rel=1e-3)
    torch.testing.assert_close(result.per_row, height, rtol=1e-3, atol=1e-3)
    expected = bump(nodes.levels) * height.std() / math.sqrt(500)
    torch.testing.assert_close(result.integrand_error, expected)
    torch.testing.assert_close(result.integrand, bump(nodes.levels) * height.mean())


def test_the_levels_are_those_of_the_unscaled_rows() -> None:
    process = VP()
    nodes = Midpoints.between(process, 7, 0.1, 10.0)
    torch.testing.assert_close(process.noise_level(nodes.times), nodes.levels)
    torch.testing.assert_close(nodes.levels.log().diff(), torch.full((6,), nodes.width, dtype=F64))
    assert nodes.width == pytest.approx(math.log(100) / 7)
    assert nodes.levels[0].item() == pytest.approx(0.1 * math.exp(nodes.width / 2))


@pytest.mark.parametrize(
    ("n", "low", "high"), [(2, None, None), (8, 2.0, 1.0), (8, 1e-9, None), (8, None, 1e9)]
)
def test_impossible_levels_are_refused(n: int, low: float | None, high: float | None) -> None:
    with pytest.raises(InvalidInput):
        Midpoints.between(EDM(), n, low, high)
