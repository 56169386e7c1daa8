"""The positive orthant against the sum over coordinates written out, and independent estimates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from domains.laws import half_normal
from scorematching.domains import Log1p, MinPower, MinSq, PositiveOrthant, Power, weighted_field
from scorematching.errors import InvalidInput

DOUBLE = torch.float64


def loss(domain: PositiveOrthant, x: Tensor, slope: Tensor) -> Tensor:
    """½ s·v + div v of the score s = −slope x."""
    s = -slope * x
    v = weighted_field(domain, x, s)
    return (s * v).sum(1) / 2 + domain.divergence(
        lambda x: weighted_field(domain, x, -slope * x), x
    )


@pytest.mark.parametrize(
    ("weight", "w", "dw"),
    [
        (MinPower(1.0, 1.0), lambda x: x.clamp(max=1.0), lambda x: (x <= 1).to(x)),
        (Power(2.0), lambda x: x**2, lambda x: 2 * x),
        (Log1p(), lambda x: (1 + x).log(), lambda x: 1 / (1 + x)),
    ],
    ids=["MinPower", "Power", "Log1p"],
)
def test_the_loss_is_the_sum_over_coordinates(weight, w, dw) -> None:
    """Σⱼ ½ w sⱼ² + w′ sⱼ + w ∂ⱼsⱼ (Yu et al. 2019, their equation for the generalised loss)."""
    x = half_normal(50, 3).draws
    slope = torch.tensor([0.5, 1.0, 2.0], dtype=DOUBLE)
    s = -slope * x
    expected = (w(x) * s**2 / 2 + dw(x) * s - w(x) * slope).sum(1)
    torch.testing.assert_close(loss(PositiveOrthant(3, weight=weight), x, slope), expected)


def test_the_default_weight_is_the_coordinate_up_to_three() -> None:
    x = torch.tensor([[0.0, 0.5], [3.0, 7.0]], dtype=DOUBLE)
    assert PositiveOrthant(2).weight(x).tolist() == [[0.0, 0.5], [3.0, 3.0]]


def test_the_mean_loss_is_least_at_the_truth() -> None:
    """Its slope in a, s = −a x, at a = 0.7, 1, 1.4: −, 0, + by its own standard error."""
    x, domain = half_normal(20_000, 2).draws, PositiveOrthant(2)
    ones = torch.ones(2, dtype=DOUBLE)
    z = []
    for a in (0.7, 1.0, 1.4):
        rows = (loss(domain, x, (a + 1e-4) * ones) - loss(domain, x, (a - 1e-4) * ones)) / 2e-4
        z.append((rows.mean() / (rows.std() / len(x) ** 0.5)).item())
    assert z[0] < -10
    assert abs(z[1]) < 4
    assert z[2] > 10


def test_a_row_outside_is_named_and_zero_is_inside() -> None:
    x = torch.tensor([[1.0, 0.0], [2.0, 3.0]], dtype=DOUBLE)
    PositiveOrthant(2).check(x)
    x[1, 0] = -0.25
    with pytest.raises(InvalidInput, match=r"at least 0: got -0\.25 \(row 1, column 0\)\. Use Euc"):
        PositiveOrthant(2).check(x)


def test_a_weight_that_does_not_vanish_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"must be zero at the boundary: .* is 1 there"):
        PositiveOrthant(2, weight=torch.ones_like)
    with pytest.raises(InvalidInput, match="must be at least 0"):
        PositiveOrthant(2, weight=lambda x: -x)
    with pytest.raises(InvalidInput, match=r"must return one number a row, \(2,\), or .* got \(\)"):
        PositiveOrthant(2, weight=lambda x: x.sum())
    with pytest.raises(InvalidInput, match="must be a callable: got 'min'"):
        PositiveOrthant(2, weight="min")
    PositiveOrthant(2, weight=MinSq(0.1))
