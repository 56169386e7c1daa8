from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.domains import Euclidean
from scorematching.errors import InvalidInput, NotIdentified
from scorematching.estimation import (
    GaussianMoments,
    Quadratic,
    Sandwich,
    gaussian_moments,
    statistic_of,
)
from scorematching.estimation.constraints import constraints
from scorematching.estimation.minimum import LinearMinimum
from scorematching.families import Gaussian
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)
FAMILY = Gaussian(3)


def rows(n: int = 60, centre: float = 1.0) -> Tensor:
    mix = torch.tensor([[1.0, 0, 0], [0.5, 2.0, 0], [0.3, -1.0, 0.7]]).double()
    return normal((n, 3), LIKE, seeded("moments")) @ mix.mT + centre


def test_the_gaussian_on_euclidean_space_is_found() -> None:
    assert isinstance(statistic_of(FAMILY, Euclidean(3)), GaussianMoments)


def test_the_rule_agrees_with_differentiation() -> None:
    x = rows()
    by_hand = GaussianMoments.of(FAMILY).update(x)
    general = Quadratic.of(FAMILY, Euclidean(3)).update(x)
    one, other = by_hand.finalize(), general.finalize()
    theta = normal((9,), LIKE, seeded("theta"))
    torch.testing.assert_close(one.A, other.A, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(one.b, other.b, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(
        by_hand.row_gradients(x, theta), general.row_gradients(x, theta), rtol=1e-12, atol=1e-12
    )
    assert by_hand.objective(theta) == pytest.approx(other(theta).item(), rel=1e-12)


def test_the_minimiser_and_its_influences_agree_with_differentiation() -> None:
    x = rows()
    free = constraints(FAMILY.names)
    minima = [
        LinearMinimum.of(empty.update(x), empty, free)
        for empty in (GaussianMoments.of(FAMILY), Quadratic.of(FAMILY, Euclidean(3)))
    ]
    torch.testing.assert_close(minima[0].phi, minima[1].phi, rtol=1e-10, atol=0)
    influences, gradients = (torch.cat(list(each.row_terms([x]))) for each in minima)
    A = Quadratic.of(FAMILY, Euclidean(3)).update(x).finalize().A
    expected = -torch.linalg.solve(A, gradients.mT).mT
    torch.testing.assert_close(influences, expected, rtol=1e-8, atol=1e-10)
    one, other = (Sandwich()(each, [x]).covariance for each in minima)
    torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("centre", [0.0, 3.0, 1e8])
def test_portions_far_from_the_origin_lose_no_digits(
    centre: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaussian_moments, "ROWS", 64)  # whole folds and a rest
    x = rows(300, centre)
    empty = GaussianMoments.of(FAMILY)
    merged = empty.update(x[:7]).merge(empty.update(x[7:200])).update(x[200:])
    exact = x - centre  # by Sterbenz, up to the rounding of x itself
    centred = exact - exact.mean(0)
    # The means of portions are rounded to eps · centre, and the gap between two enters n times.
    rounding = 1e-12 + torch.finfo(torch.float64).eps * centre
    torch.testing.assert_close(
        merged.scatter, centred.mT @ centred, rtol=rounding, atol=300 * rounding
    )
    torch.testing.assert_close(merged.mean, exact.mean(0) + centre, rtol=1e-14, atol=1e-14)
    assert merged.n == 300


def test_constant_columns_and_overflow_are_refused() -> None:
    x = rows()
    x[:, 1] = 4.0
    with pytest.raises(NotIdentified, match=r"K\[2,2\]"):
        GaussianMoments.of(FAMILY).update(x).minimiser()
    with pytest.raises(InvalidInput, match="overflow"):
        GaussianMoments.of(FAMILY).update(rows() * 1e200)
