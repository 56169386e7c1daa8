"""Weights against their formulae written in NumPy, and their slopes against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from scorematching.domains import Log1p, MinPower, MinSq, Power, ProdSq, Weight
from scorematching.errors import InvalidInput
from scorematching.random import seeded, uniform

DOUBLE = torch.float64
U = 2 * uniform((200, 3), torch.zeros(1, dtype=DOUBLE), seeded("distances"))

FORMULAE: list[tuple[Weight, Callable[[np.ndarray], np.ndarray]]] = [
    (MinPower(1.0, 3.0), lambda u: np.minimum(u, 3.0)),
    (MinPower(1.0, 0.5), lambda u: np.minimum(u, 0.5)),
    (MinPower(1.5, 0.8), lambda u: np.minimum(u, 0.8) ** 1.5),
    (Power(1.0), lambda u: u),
    (Power(2.0), lambda u: u * u),
    (Power(0.5), np.sqrt),
    (Log1p(), lambda u: np.log(1 + u)),
    (MinSq(0.3), lambda u: np.minimum((u**2).min(1), 0.3**2)),
    (MinSq(5.0), lambda u: (u**2).min(1)),
    (ProdSq(0.2), lambda u: np.minimum((u**2).prod(1), 0.2**2)),
    (ProdSq(50.0), lambda u: (u**2).prod(1)),
]
EVERY = pytest.mark.parametrize(("weight", "formula"), FORMULAE, ids=[str(w) for w, _ in FORMULAE])


@EVERY
def test_the_weight_is_its_formula(weight: Weight, formula: Callable) -> None:
    torch.testing.assert_close(weight(U), torch.from_numpy(formula(U.numpy())), rtol=1e-14, atol=0)


@EVERY
def test_the_slope_is_the_finite_difference(weight: Weight, formula: Callable) -> None:
    h = 1e-6
    for direction in torch.eye(3, dtype=DOUBLE):
        step = h * direction
        expected = (formula((U + step).numpy()) - formula((U - step).numpy())) / (2 * h)
        _, slope = torch.func.jvp(weight, (U,), (direction.expand_as(U).contiguous(),))
        # The seed puts no row within h of a kink.
        torch.testing.assert_close(slope, torch.from_numpy(expected), rtol=1e-6, atol=1e-8)


@EVERY
def test_the_weight_is_zero_where_the_distance_is(weight: Weight, formula: Callable) -> None:
    w = weight(torch.tensor([[0.0, 1.0, 0.7], [1.0, 0.7, 0.0]], dtype=DOUBLE))
    assert (w if w.ndim == 1 else torch.stack([w[0, 0], w[1, 2]])).tolist() == [0.0, 0.0]


def slope_of(weight: Weight, u: list[float], j: int) -> Tensor:
    x = torch.tensor([u], dtype=DOUBLE)
    return torch.func.jvp(weight, (x,), (torch.eye(len(u), dtype=DOUBLE)[j : j + 1],))[1]


def test_at_a_tie_the_slope_is_that_of_the_last_of_the_tied() -> None:
    tied = [0.2, 0.3, 0.2, 0.5]
    slopes = [slope_of(MinSq(1.0), tied, j).item() for j in range(4)]
    assert slopes == [0.0, 0.0, pytest.approx(0.4), 0.0]


def test_at_the_cap_the_slope_is_that_of_the_rising_side() -> None:
    assert slope_of(MinPower(1.0, 0.5), [0.5], 0).tolist() == [[1.0]]
    assert slope_of(MinSq(0.5), [0.5, 0.7], 0).tolist() == [1.0]
    assert slope_of(MinPower(1.0, 0.5), [0.6], 0).tolist() == [[0.0]]


def test_forward_and_backward_slopes_agree_at_a_tie() -> None:
    u = torch.tensor([[0.2, 0.3, 0.2]], dtype=DOUBLE, requires_grad=True)
    (backward,) = torch.autograd.grad(MinSq(1.0)(u).sum(), u)
    assert backward.tolist() == [[0.0, 0.0, pytest.approx(0.4)]]


def test_the_slope_at_the_boundary_is_finite() -> None:
    for weight in (MinPower(), MinPower(2.0, 1.0), Power(2.0), Log1p(), MinSq(), ProdSq()):
        assert slope_of(weight, [0.0, 0.5], 0).isfinite().all()


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_what_would_not_vanish_or_not_be_finite_is_refused(value: float) -> None:
    for build, name in (
        (lambda: MinPower(value, 1.0), "power"),
        (lambda: MinPower(1.0, value), "cap"),
        (lambda: Power(value), "p"),
        (lambda: MinSq(value), "c"),
        (lambda: ProdSq(value), "c"),
    ):
        with pytest.raises(InvalidInput, match=f"^{name} must be positive and finite: got"):
            build()
