"""Boxes: distances from sides that may be infinite, and what becomes of the orthant."""

from __future__ import annotations

import math

import pytest
import torch

from domains.laws import half_normal, in_box, three_fields
from scorematching.domains import (
    Box,
    Log1p,
    MinPower,
    MinSq,
    PositiveOrthant,
    Power,
    weighted_field,
)
from scorematching.errors import InvalidInput

DOUBLE = torch.float64
INF = math.inf


def test_the_weight_is_the_distance_from_the_nearer_side_up_to_three() -> None:
    box = Box([0.0, -1.0, -INF, -INF], [1.0, INF, 2.0, INF])
    x = torch.tensor([[0.2, 0.0, 1.5, 9.0], [0.9, 7.0, -6.0, 0.0]], dtype=DOUBLE)
    expected = torch.tensor([[0.2, 1.0, 0.5, 3.0], [0.1, 3.0, 3.0, 3.0]], dtype=DOUBLE)
    torch.testing.assert_close(box.weight(x), expected)


@pytest.mark.parametrize("weight", [MinPower(), MinPower(2.0, 0.5), Power(1.0), Log1p(), MinSq()])
def test_a_box_from_zero_to_infinity_is_the_positive_orthant(weight) -> None:
    x = half_normal(40, 3).draws
    box, orthant = Box([0.0] * 3, INF, weight=weight), PositiveOrthant(3, weight=weight)
    torch.testing.assert_close(box.weight(x), orthant.weight(x), rtol=0, atol=0)
    pair = [
        d.divergence(lambda x, d=d: weighted_field(d, x, three_fields(x)), x)
        for d in (box, orthant)
    ]
    torch.testing.assert_close(*pair, rtol=1e-14, atol=1e-14)


def test_the_slope_of_the_weight_is_the_finite_difference() -> None:
    box, x, h = Box([0.0, -1.0, -INF], [1.0, INF, INF]), in_box(300, 1.5).draws, 1e-7
    ones = torch.ones_like(x)
    _, slope = torch.func.jvp(box.weight, (x,), (ones,))
    torch.testing.assert_close(
        slope, (box.weight(x + h) - box.weight(x - h)) / (2 * h), rtol=1e-6, atol=1e-6
    )
    assert {*slope[:, 0].tolist()} == {-1.0, 1.0}
    assert {*slope[:, 2].tolist()} == {0.0}


def test_sides_are_broadcast_and_equal_boxes_are_equal() -> None:
    assert Box(0, 1).d == 1
    assert Box([0, 0], 1) == Box(0.0, torch.tensor([1.0, 1.0])) == Box([0.0, 0.0], [1.0, 1.0])
    assert hash(Box(0, 1)) == hash(Box(0.0, [1.0]))


def test_a_row_outside_is_named_and_its_sides_are_inside() -> None:
    box = Box([0.0, -1.0], [1.0, INF])
    x = torch.tensor([[0.0, -1.0], [1.0, 5.0]], dtype=DOUBLE)
    box.check(x)
    x[1, 0] = 1.5
    with pytest.raises(
        InvalidInput, match=r"column 0 must lie between 0 and 1: got 1\.5 \(row 1, c"
    ):
        box.check(x)


@pytest.mark.parametrize(
    ("low", "high", "complaint"),
    [
        (1.0, 0.0, r"low < high in every column: got low = \[1\.0\]"),
        ([0.0, 1.0], [1.0, 1.0], "low < high"),
        (INF, INF, "low < high"),
        ([0.0, 0.0], [1.0, 1.0, 1.0], "one number a column"),
        ([], 1.0, "one number a column"),
        (math.nan, 1.0, "low must be a number"),
        (0.0, [[1.0]], "high must be a number"),
    ],
)
def test_sides_that_make_no_box_are_refused(low, high, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Box(low, high)


def test_a_weight_must_vanish_at_each_side_and_be_finite_without_sides() -> None:
    with pytest.raises(InvalidInput, match="must be zero at the boundary"):
        Box(0, 1, weight=torch.ones_like)
    for weight in (Power(1.0), Log1p()):
        with pytest.raises(InvalidInput, match="not finite where a column has no side"):
            Box([0.0, -INF], INF, weight=weight)
    Box(-INF, INF, weight=torch.ones_like)  # no side at all
    Box(0.0, INF, weight=Power(1.0))
