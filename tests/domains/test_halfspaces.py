"""Intersections of half-spaces: distances from faces, and boxes as a special case."""

from __future__ import annotations

import pytest
import torch

from domains.laws import in_triangle, three_fields
from scorematching.domains import Box, Halfspaces, MinPower, PositiveOrthant, weighted_field
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded, uniform

DOUBLE = torch.float64
LIKE = torch.zeros(1, dtype=DOUBLE)
CORNERS = [[0.0, 0.0], [4.0, 1.0], [1.0, 3.0]]
TRIANGLE = Halfspaces([[0.25, -1.0], [2.0, 3.0], [-3.0, 1.0]], [0.0, 11.0, 0.0])
X = in_triangle(400, CORNERS, [0.3, -0.5]).draws


def segment_distance(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The distance of x from the segment from a to b."""
    t = ((x - a) @ (b - a) / (b - a).square().sum()).clamp(0, 1)
    return (x - a - t[:, None] * (b - a)).norm(dim=1)


def test_the_weight_is_the_distance_from_the_nearest_edge() -> None:
    corners = torch.tensor(CORNERS, dtype=DOUBLE)
    edges = [segment_distance(X, corners[i], corners[(i + 1) % 3]) for i in range(3)]
    distance = torch.stack(edges).amin(0)
    torch.testing.assert_close(TRIANGLE.weight(X), distance)
    capped = Halfspaces(TRIANGLE.A, TRIANGLE.b, weight=MinPower(2.0, 0.3))
    torch.testing.assert_close(capped.weight(X), distance.clamp(max=0.3) ** 2)


def test_the_length_of_a_normal_does_not_matter() -> None:
    scaled = Halfspaces(torch.tensor(TRIANGLE.A) * 7, torch.tensor(TRIANGLE.b) * 7)
    torch.testing.assert_close(scaled.weight(X), TRIANGLE.weight(X))


def test_one_half_line_is_the_orthant() -> None:
    x = uniform((30, 1), LIKE, seeded("x"))
    half, orthant = Halfspaces([[-2.0]], [0.0]), PositiveOrthant(1)
    pair = [
        d.divergence(lambda x, d=d: weighted_field(d, x, three_fields(x)), x)
        for d in (half, orthant)
    ]
    torch.testing.assert_close(*pair)


def test_a_box_by_half_spaces_has_the_least_of_its_weights() -> None:
    x = uniform((30, 2), LIKE, seeded("x"))
    box = Box([0.0, 0.0], [1.0, 1.0])
    square = Halfspaces([[1, 0], [0, 1], [-1, 0], [0, -1]], [1, 1, 0, 0])
    torch.testing.assert_close(square.weight(x), box.weight(x).amin(1))


def test_the_slope_of_the_weight_is_the_inward_normal_of_the_nearest_face() -> None:
    c = normal((2,), LIKE, seeded("c"))
    measured = TRIANGLE.divergence(lambda x: weighted_field(TRIANGLE, x, c.expand_as(x)), X)
    nearest = TRIANGLE.slack(X).argmin(1)
    normals = torch.tensor(TRIANGLE.A, dtype=DOUBLE)
    normals = normals / normals.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(measured, -(normals[nearest] @ c))


def test_a_row_outside_is_named_with_its_constraint() -> None:
    TRIANGLE.check(torch.tensor(CORNERS, dtype=DOUBLE))
    x = torch.tensor([[1.0, 1.0], [5.0, 5.0]], dtype=DOUBLE)
    with pytest.raises(
        InvalidInput, match=r"constraint 1 is not: got an excess of 3\.88\d* \(row 1"
    ):
        TRIANGLE.check(x)


@pytest.mark.parametrize(
    ("a", "b", "complaint"),
    [
        ([[1.0, 0.0], [-1.0, 0.0]], [-1.0, -1.0], "no point lies strictly inside"),
        ([[1.0, 0.0], [-1.0, 0.0]], [1.0, -1.0], "empty or flat"),
        ([[1.0, 0.0], [0.0, 0.0]], [1.0, 1.0], r"not zero, and b finite: got length 0 \(row 1\)"),
        ([[1.0, 0.0]], [1.0, 1.0], r"got \(1, 2\) and \(2,\)"),
        ([1.0, 0.0], [1.0], r"needs A of shape \(k, d\)"),
        ([[1.0, 0.0]], [torch.inf], "b finite"),
    ],
)
def test_what_has_no_interior_is_refused(a, b, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Halfspaces(a, b)


def test_a_weight_must_vanish_at_the_faces() -> None:
    with pytest.raises(InvalidInput, match="must be zero at the boundary"):
        Halfspaces([[1.0]], [0.0], weight=torch.ones_like)
    assert Halfspaces([[1.0]], [0.0]) == Halfspaces(torch.ones(1, 1), torch.zeros(1))
