"""The circle in angles, and the same circle in the plane."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from domains.laws import von_mises
from scorematching.domains import Circle, Sphere, weighted_field
from scorematching.errors import InvalidInput

DOUBLE = torch.float64


def test_the_loss_is_that_of_unit_vectors_in_the_plane() -> None:
    """log p = θ₁ cos φ + θ₂ sin φ, as a function of φ and as θ·x."""
    phi, theta = von_mises(50, 1.0, 0.3).draws, torch.tensor([0.7, -1.2], dtype=DOUBLE)
    circle, plane = Circle(), Sphere(2)
    x = torch.cat([phi.cos(), phi.sin()], 1)

    def s(phi: Tensor) -> Tensor:
        return -theta[0] * phi.sin() + theta[1] * phi.cos()

    angle = s(phi)[:, 0] ** 2 / 2 + circle.divergence(
        lambda p: weighted_field(circle, p, s(p)), phi
    )
    v = weighted_field(plane, x, theta.expand_as(x))
    vector = v @ theta / 2 + plane.divergence(
        lambda x: weighted_field(plane, x, theta.expand_as(x)), x
    )
    torch.testing.assert_close(angle, vector)


def test_angles_may_come_as_a_column_or_a_row_and_within_a_turn() -> None:
    phi = von_mises(20, 1.0, 0.3).draws
    assert Circle().d == 1
    Circle().check(phi)
    Circle().check(phi[:, 0])
    Circle().check(phi + math.pi)


def test_degrees_are_refused_with_the_remedy() -> None:
    degrees = torch.tensor([1.0, 270.0, 90.0], dtype=DOUBLE)
    with pytest.raises(
        InvalidInput, match=r"got 270 \(row 1, column 0, and 1 more\)\. Convert degr"
    ):
        Circle().check(degrees)
    with pytest.raises(InvalidInput, match=r"finite: got nan \(row 0"):
        Circle().check(degrees * torch.nan)
    with pytest.raises(InvalidInput, match="of 1 columns"):
        Circle().check(degrees.reshape(1, 3))
