"""Balls: the distance from the sphere around them, its slope, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch

from domains.laws import in_ball
from scorematching.domains import Ball, MinPower, MinSq, Power, weighted_field
from scorematching.errors import InvalidInput

DOUBLE = torch.float64
CENTRE = [1.0, 0.0, -1.0]
X = in_ball(300, [0.5, -0.5, 1.0], 2.0, CENTRE).draws


def test_the_weight_is_the_distance_from_the_boundary_up_to_the_cap() -> None:
    distance = 2.0 - (X - torch.tensor(CENTRE)).square().sum(1).sqrt()
    torch.testing.assert_close(Ball(3, 2.0, CENTRE).weight(X), distance)
    capped = Ball(3, 2.0, CENTRE, weight=MinPower(2.0, 0.5))
    torch.testing.assert_close(capped.weight(X), distance.clamp(max=0.5) ** 2)
    torch.testing.assert_close(Ball(3, 9.0, CENTRE).weight(X), torch.full((len(X),), 3.0).double())
    torch.testing.assert_close(Ball(3, 2.0, CENTRE, weight=MinSq(9.0)).weight(X), distance**2)


def test_the_divergence_of_the_weighted_constant_field_is_the_slope_of_the_weight() -> None:
    """div(w c) = ∇w·c = −c·(x − m)/‖x − m‖ where the weight is the distance."""
    ball, c = Ball(3, 2.0, CENTRE), torch.tensor([1.0, 2.0, 3.0]).double()
    away = X - torch.tensor(CENTRE)
    expected = -(away @ c) / away.norm(dim=1)
    measured = ball.divergence(lambda x: weighted_field(ball, x, c.expand_as(x)), X)
    torch.testing.assert_close(measured, expected)


def test_at_the_centre_the_slope_is_finite() -> None:
    ball = Ball(2, 1.0)
    x = torch.zeros(1, 2, dtype=DOUBLE)
    assert torch.func.jvp(ball.weight, (x,), (torch.ones_like(x),))[1].isfinite().all()


def test_a_row_outside_is_named_and_one_on_the_boundary_is_inside() -> None:
    ball = Ball(2, radius=2.0, centre=[1.0, 1.0])
    turn = torch.linspace(0, 6, 1000, dtype=DOUBLE)
    x = 1 + 2 * torch.stack([turn.cos(), turn.sin()], 1)
    ball.check(x)
    assert 0 <= ball.weight(x).max() < 1e-14
    x[5] = 3.0
    with pytest.raises(
        InvalidInput, match=r"within 2 of the centre: got distance 2\.828\d* \(row 5"
    ):
        ball.check(x)


def test_one_number_is_the_centre_of_every_column() -> None:
    assert Ball(2, 1, 0.5) == Ball(2, 1.0, [0.5, 0.5])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((0,), r"Ball\(d\) needs an integer d"),
        ((2, -1.0), "radius must be positive and finite: got -1"),
        ((2, math.inf), "radius must be positive"),
        ((2, math.nan), "radius must be positive"),
        ((2, 1.0, [0.0, 0.0, 0.0]), "centre must be one finite number, or 2"),
        ((2, 1.0, math.inf), "centre must be one finite number"),
        ((2, 1.0, 0.0, torch.ones_like), "must be zero at the boundary"),
    ],
)
def test_what_makes_no_ball_is_refused(arguments, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Ball(*arguments)


def test_any_weight_of_one_distance_serves() -> None:
    Ball(2, weight=Power(2.0))
