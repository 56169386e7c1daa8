from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.estimation.constraints import constraints
from scorematching.estimation.coordinates import FreeCoordinates

INFINITE = math.inf
NAMES = ("free", "above", "below", "inside")
BOUNDS = ((-INFINITE, INFINITE), (2.0, INFINITE), (-INFINITE, -1.0), (0.0, 10.0))


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def all_kinds() -> FreeCoordinates:
    return FreeCoordinates.of(constraints(NAMES), BOUNDS)


def test_each_kind_of_interval_has_its_coordinate() -> None:
    theta = all_kinds()(numbers(-3.0, math.log(5.0), math.log(4.0), math.log(3.0)))
    # u itself; 2 + eᵘ; −1 − eᵘ; 10/(1 + e⁻ᵘ)
    torch.testing.assert_close(theta, numbers(-3.0, 7.0, -5.0, 7.5))


def test_the_coordinates_of_a_start_lead_back_to_it() -> None:
    coordinates, theta = all_kinds(), numbers(0.3, 2.001, -40.0, 9.99)
    torch.testing.assert_close(coordinates(coordinates.start(theta)), theta, rtol=1e-13, atol=0)


def test_derivatives_are_finite_where_an_exponent_of_another_kind_overflows() -> None:
    u = numbers(800.0, 1.0, 1.0, -800.0).requires_grad_()
    (slope,) = torch.autograd.grad(all_kinds()(u).sum(), u)
    torch.testing.assert_close(slope, numbers(1.0, math.e, -math.e, 0.0))


def test_tied_parameters_take_the_narrower_bounds() -> None:
    tied = constraints(("a", "b", "c"), tied=[("a", "b")])
    coordinates = FreeCoordinates.of(tied, [(0.0, INFINITE), (-5.0, 3.0), (0.0, 1.0)])
    assert (coordinates.low.tolist(), coordinates.high.tolist()) == ([0.0, 0.0], [3.0, 1.0])
    with pytest.raises(InvalidInput, match="a = b have no value in common"):
        FreeCoordinates.of(tied, [(0.0, 1.0), (2.0, 3.0), (0.0, 1.0)])


def test_fixed_values_and_starts_outside_the_bounds_are_named() -> None:
    with pytest.raises(InvalidInput, match="above must lie between 2 and inf: got fixed at 2"):
        FreeCoordinates.of(constraints(NAMES, {"above": 2.0}), BOUNDS)
    with pytest.raises(InvalidInput, match="inside must lie between 0 and 10, got 10"):
        all_kinds().start(numbers(0.0, 3.0, -2.0, 10.0))


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_what_has_run_into_its_bound_is_told_in_any_units(size: float) -> None:
    coordinates = FreeCoordinates.of(constraints(("k", "s")), [(0.0, INFINITE), (0.0, INFINITE)])
    start = coordinates.start(numbers(size, size))
    assert coordinates.at_bound(coordinates.start(numbers(1e-3 * size, 1e9 * size)), start) is None
    assert coordinates.at_bound(coordinates.start(numbers(size, 1e-9 * size)), start) == "s"
