"""Moments merged group by group against those of all rows at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.data.moments import Moments
from scorematching.data.standardise import standardise
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)


def rows(offset: float, spread: float) -> Tensor:
    z = normal((400, 4), LIKE, seeded("moments")).cumsum(1)
    z[:, 3] = 1.0
    return offset + spread * z


def merged(x: Tensor, *, full: bool = True) -> Moments:
    moments = Moments(full=full)
    for part in x.split([1, 0, 99, 250, 50]):
        moments.add(part)
    return moments


@pytest.mark.parametrize(
    ("offset", "spread"), [(0, 1), (1e9, 1), (0, 1e-150), (0, 1e150), (-3, 1e-12)]
)
def test_merged_moments_are_those_of_all_rows(offset: float, spread: float) -> None:
    x = rows(offset, spread)
    moments, unit = merged(x), standardise(x)
    z = unit.forward(x)
    assert moments.n == 400
    slack = 1e-12 + 1e-15 * abs(offset) / spread
    torch.testing.assert_close(moments.mean, unit.mean, rtol=1e-14, atol=slack * spread)
    torch.testing.assert_close(moments.deviations[:3], unit.scale[:3], rtol=slack, atol=0)
    assert moments.deviations[3] == 0
    torch.testing.assert_close(moments.correlations(), z.T @ z / 400, rtol=0, atol=10 * slack)
    diagonal = merged(x, full=False)
    torch.testing.assert_close(diagonal.deviations, moments.deviations, rtol=1e-12, atol=0)
    torch.testing.assert_close(diagonal.mean, moments.mean, rtol=1e-14, atol=slack * spread)


def test_control_sums_of_squares_lose_all_digits_where_the_mean_is_large() -> None:
    x = rows(1e9, 1.0)
    naive = (x.square().mean(0) - x.mean(0).square()).clamp(min=0).sqrt()[:3]
    exact = standardise(x).scale[:3]
    assert ((naive - exact) / exact).abs().max() > 0.1
    assert ((merged(x).deviations[:3] - exact) / exact).abs().max() < 1e-6


def test_a_later_shift_of_the_mean_is_part_of_the_spread() -> None:
    moments = Moments()
    for value in (0.0, 10.0):
        moments.add(torch.full((50, 1), value, dtype=torch.float64))
    assert moments.mean.item() == pytest.approx(5.0)
    assert moments.deviations.item() == pytest.approx(5.0)
