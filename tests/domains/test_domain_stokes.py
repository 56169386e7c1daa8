"""E_p[s·v + div v] = 0 for every weighted field v: what generalised score matching rests on.

The z-scores of a mean that is zero; a weight of 1 on a bounded domain is the control.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from domains.laws import (
    Law,
    dirichlet,
    half_normal,
    in_ball,
    in_box,
    in_triangle,
    on_sphere,
    periodic_fields,
    root_dirichlet,
    stokes_rows,
    three_fields,
    von_mises,
    z_scores,
)
from scorematching import domains as dom
from scorematching.densities import gaussian
from scorematching.random import seeded

N = 20_000
SIGMAS = 4.5  # three means a case, some ninety in all
DOUBLE = torch.float64

MIXED = gaussian(
    torch.tensor([1.0, -2.0]).double(), torch.tensor([[2.0, 0.6], [0.6, 1.0]]).double()
)
BALL = dom.Ball(3, radius=2.0, centre=[1.0, 0.0, -1.0])
CORNERS = [[0.0, 0.0], [4.0, 1.0], [1.0, 3.0]]
TRIANGLE = dom.Halfspaces([[0.25, -1.0], [2.0, 3.0], [-3.0, 1.0]], [0.0, 11.0, 0.0])
ALPHA = [0.7, 1.5, 2.5]
SCALES = [dom.MinPower(1.0, 1.0), dom.Power(1.0), dom.Log1p()]
ORDERS = [*SCALES, dom.MinPower(2.0, 0.5), dom.Power(2.0), dom.MinSq(0.5), dom.ProdSq(0.3)]


def joint(first: Law, second: Law) -> Law:
    """Independent columns side by side."""
    n, d = min(len(first.draws), len(second.draws)), first.draws.shape[1]
    draws = torch.cat([first.draws[:n], second.draws[:n]], 1)
    return Law(draws, lambda x: torch.cat([first.score(x[:, :d]), second.score(x[:, d:])], 1))


CASES = {
    "ℝ²": (dom.Euclidean(2), lambda: Law(MIXED.sample(N, seeded("x")), MIXED.score)),
    **{
        f"orthant, {w}": (dom.PositiveOrthant(2, weight=w), lambda: half_normal(N, 2))
        for w in ORDERS
    },
    **{
        f"box, {w}": (
            dom.Box([0.0, -1.0, -torch.inf], [1.0, torch.inf, torch.inf], weight=w),
            lambda: in_box(N, 1.5),
        )
        for w in (dom.MinPower(), dom.MinPower(2.0, 0.4))
    },
    "ball": (BALL, lambda: in_ball(N, [0.5, -0.5, 1.0], 2.0, [1.0, 0.0, -1.0])),
    "ball, capped": (
        dom.Ball(3, 2.0, [1.0, 0.0, -1.0], weight=dom.MinPower(1.0, 0.5)),
        lambda: in_ball(N, [0.5, -0.5, 1.0], 2.0, [1.0, 0.0, -1.0]),
    ),
    "half-spaces": (TRIANGLE, lambda: in_triangle(N, CORNERS, [0.3, -0.5])),
    "half-spaces, squared": (
        dom.Halfspaces(TRIANGLE.A, TRIANGLE.b, weight=dom.Power(2.0)),
        lambda: in_triangle(N, CORNERS, [0.3, -0.5]),
    ),
    **{f"S{d - 1}": (dom.Sphere(d), lambda d=d: on_sphere(2 * N, TILT[:d])) for d in (2, 3, 5)},
    **{
        f"positive sphere, {w}": (dom.PositiveSphere(3, weight=w), lambda: root_dirichlet(N, ALPHA))
        for w in (dom.MinSq(0.1), dom.MinSq(2.0), dom.ProdSq(0.1), dom.Power(2.0))
    },
    "positive sphere, per coordinate": (
        dom.PositiveSphere(3, weight=dom.MinPower(1.0, 0.3)),
        lambda: on_sphere(N, [1.0, -0.5, 0.3], positive=True),
    ),
    **{
        f"flat simplex, {w}": (dom.FlatSimplex(3, weight=w), lambda: dirichlet(N, ALPHA))
        for w in (dom.MinSq(0.1), dom.MinSq(2.0), dom.ProdSq(0.02))
    },
    "product": (
        dom.Product((dom.Sphere(3), dom.PositiveOrthant(2))),
        lambda: joint(on_sphere(2 * N, TILT[:3]), half_normal(N, 2)),
    ),
}
TILT = [1.0, -0.7, 0.4, 0.8, -1.1]


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_left_at_the_boundary(name: str) -> None:
    domain, law = CASES[name]
    z = z_scores(stokes_rows(domain, law(), three_fields))
    assert z.abs().max() < SIGMAS, z


def test_nothing_is_left_on_the_circle() -> None:
    z = z_scores(stokes_rows(dom.Circle(), von_mises(N, 1.5, 0.7), periodic_fields))
    assert z.abs().max() < SIGMAS, z


@dataclass(frozen=True)
class Unweighted:
    """A bounded domain whose weight is 1: the integral over its boundary stays in."""

    domain: dom.Domain

    @property
    def d(self) -> int:
        return self.domain.d

    def check(self, x: Tensor) -> None:
        self.domain.check(x)

    def weight(self, x: Tensor) -> Tensor:
        return x.new_ones(x.shape[0])

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        return self.domain.project(x, v)

    def divergence(self, field: dom.Field, x: Tensor) -> Tensor:
        return self.domain.divergence(field, x)


SIMPLEX = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]  # in ℝ³, a triangle like any other
POSITIVE_AT_THE_BOUNDARY = {
    "orthant": (dom.PositiveOrthant(2), lambda: half_normal(N, 2)),
    "box": CASES["box, MinPower(power=1.0, cap=3.0)"],
    "ball": CASES["ball"],
    "half-spaces": CASES["half-spaces"],
    "positive sphere": (
        dom.PositiveSphere(3),
        lambda: on_sphere(N, [1.0, -0.5, 0.3], positive=True),
    ),
    "flat simplex": (dom.FlatSimplex(3), lambda: in_triangle(N, SIMPLEX, [1.0, 0.2, -0.5])),
    "product": CASES["product"],
}


@pytest.mark.parametrize("name", POSITIVE_AT_THE_BOUNDARY)
def test_a_weight_of_one_leaves_something_at_a_boundary(name: str) -> None:
    domain, law = POSITIVE_AT_THE_BOUNDARY[name]
    z = z_scores(stokes_rows(Unweighted(domain), law(), three_fields))
    assert z.abs().max() > 4 * SIGMAS, z


def test_a_weight_per_coordinate_leaves_something_on_the_flat_simplex() -> None:
    """Why it is refused: the boundary's normal there is no coordinate direction."""

    @dataclass(frozen=True)
    class PerCoordinate(Unweighted):
        def weight(self, x: Tensor) -> Tensor:
            return x

    law = in_triangle(N, SIMPLEX, [1.0, 0.2, -0.5])
    z = z_scores(stokes_rows(PerCoordinate(dom.FlatSimplex(3)), law, three_fields))
    assert z.abs().max() > 4 * SIGMAS, z
