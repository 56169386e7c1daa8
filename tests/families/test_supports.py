from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from families.cases import W3, vector
from scorematching.domains import (
    AdditiveLogRatio,
    AnyDomain,
    Ball,
    Box,
    Circle,
    Euclidean,
    FlatSimplex,
    Halfspaces,
    InCoordinates,
    Log,
    Logit,
    LogRatioSimplex,
    PositiveOrthant,
    PositiveSphere,
    Power,
    ProdSq,
    Sphere,
    SqrtSimplex,
    SquareRoot,
)
from scorematching.errors import InvalidInput
from scorematching.families.supports import (
    LineAbout,
    contains,
    interval_of,
    is_bounded,
    is_interval,
    support,
    zero_outside,
)
from scorematching.families.whitening import LinearMap

INF = math.inf


@dataclass(frozen=True)
class Disc:
    """A user's own domain."""

    d: int = 2

    def check(self, x: torch.Tensor) -> None:
        if not (x.square().sum(1) <= 1).all():
            raise ValueError("a row lies outside the disc")

    def weight(self, x: torch.Tensor) -> torch.Tensor:
        return 1 - x.square().sum(1)

    def project(self, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return v

    def divergence(self, field: object, x: torch.Tensor) -> torch.Tensor:
        raise AssertionError("not asked for")


@pytest.mark.parametrize(
    ("domain", "same"),
    [
        (PositiveOrthant(2, weight=Power(2)), PositiveOrthant(2)),
        (Box((0, 0), (INF, INF)), PositiveOrthant(2)),
        (Box((-INF, -INF), (INF, INF)), Euclidean(2)),
        (Box(0, 1, Power(2)), Box(0, 1)),
        (InCoordinates(Euclidean(2), Log()), PositiveOrthant(2)),
        (InCoordinates(Euclidean(1), Logit(0, 1)), Box(0, 1)),
        (InCoordinates(Euclidean(2), AdditiveLogRatio()), FlatSimplex(3)),
        (InCoordinates(PositiveSphere(3), SquareRoot()), FlatSimplex(3)),
        (InCoordinates(Euclidean(3), LinearMap(W3)), Euclidean(3)),
        (SqrtSimplex(3, weight=ProdSq(0.2)), FlatSimplex(3)),
        (LogRatioSimplex(3), FlatSimplex(3)),
        (LineAbout(0.5), Euclidean(1)),
        (PositiveSphere(3, weight=ProdSq(0.2)), PositiveSphere(3)),
        (Disc(), Disc()),
    ],
)
def test_weights_and_coordinates_do_not_change_the_set(domain: AnyDomain, same: AnyDomain) -> None:
    assert support(domain) == same


def test_the_weight_about_a_point_vanishes_there() -> None:
    line = LineAbout(0.5)
    x = vector(0.5, 0.0, 2.0)[:, None]
    assert line.weight(x).flatten().tolist() == [0.0, 0.5, 1.5]
    assert torch.equal(line.divergence(lambda x: x**2, x), 2 * x[:, 0])
    assert torch.equal(line.project(x, x), x)
    with pytest.raises(InvalidInput, match="finite"):
        line.check(vector(math.nan)[:, None])


def test_sets_that_differ_are_told_apart() -> None:
    assert support(Box(0, 1)) != support(Box(0, 2))
    assert support(PositiveOrthant(2)) != support(PositiveOrthant(3))
    assert support(PositiveSphere(3)) != support(Sphere(3))


def test_bounded_sets_are_known() -> None:
    bounded = [Box(0, 1), Ball(2), Sphere(2), Circle(), SqrtSimplex(3), PositiveSphere(2)]
    assert all(is_bounded(each) for each in bounded)
    unbounded = [Box(0, INF), Euclidean(1), PositiveOrthant(1), InCoordinates(Euclidean(1), Log())]
    assert not any(is_bounded(each) for each in unbounded)


def test_intervals_have_their_sides() -> None:
    assert interval_of(Euclidean(1)) == (-INF, INF)
    assert interval_of(PositiveOrthant(1)) == (0, INF)
    assert interval_of(Box(-2, 3)) == (-2, 3)
    for domain in (Ball(1), PositiveOrthant(2), Box((0, 0), (1, 1))):
        assert not is_interval(domain)
        with pytest.raises(InvalidInput, match="expected an interval"):
            interval_of(domain)


@pytest.mark.parametrize(
    "domain",
    [
        PositiveOrthant(2),
        Box((-1, 0), (1, 0.5)),
        Ball(2, 0.8, (0.1, 0.0)),
        Halfspaces([[1.0, 1.0], [-1.0, 0.0]], [0.5, 0.5]),
        Disc(),
        Euclidean(2),
        FlatSimplex(2),
    ],
)
def test_a_row_is_contained_where_the_check_of_the_domain_lets_it_pass(domain: AnyDomain) -> None:
    side = torch.linspace(-1.25, 1.25, 11, dtype=torch.float64)
    x = torch.cat([torch.cartesian_prod(side, side), torch.tensor([[math.nan, 0.2]]).double()])
    expected = []
    for row in x:
        try:
            domain.check(row[None])
            expected.append(bool(row.isfinite().all()))
        except ValueError:
            expected.append(False)
    assert contains(domain, x).tolist() == expected
    assert any(expected)
    assert contains(domain, x[:0]).shape == (0,)


def test_the_log_density_is_minus_infinity_outside() -> None:
    found = zero_outside(vector(1.0, math.nan), torch.tensor([True, False]))
    assert found.tolist() == [1.0, -INF]
