"""Domains in other coordinates: whose density, whose domain, whose columns."""

from __future__ import annotations

import pytest
import torch

from scorematching.domains import (
    AdditiveLogRatio,
    Box,
    Charted,
    Euclidean,
    FlatSimplex,
    InCoordinates,
    Log,
    Logit,
    LogRatioSimplex,
    PositiveOrthant,
    Power,
    SqrtSimplex,
    check_interior,
    coordinates,
    weighted_field,
    working_rows,
)
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded

DOUBLE = torch.float64
LIKE = torch.zeros(1, dtype=DOUBLE)


def test_columns_are_those_of_x() -> None:
    assert InCoordinates(Euclidean(2), AdditiveLogRatio()).d == 3
    assert InCoordinates(Euclidean(2), Log()).d == 2


def test_a_plain_domain_is_its_own_and_a_charted_one_has_its_inner() -> None:
    x = torch.rand(4, 2, dtype=DOUBLE, generator=seeded("x"))
    inner, chart = coordinates(PositiveOrthant(2))
    assert inner == PositiveOrthant(2)
    assert chart.forward(x) is x
    assert chart.inverse(x) is x
    assert chart.log_abs_det(x).tolist() == [0.0] * 4
    chart.check(x)
    assert coordinates(InCoordinates(Euclidean(2), Log())) == (Euclidean(2), Log())
    assert isinstance(SqrtSimplex(3), Charted)
    assert not isinstance(FlatSimplex(3), Charted)
    assert working_rows(PositiveOrthant(2), x) is x


def test_log_normal_data_are_matched_as_their_logarithms() -> None:
    """T = (−z²/2, z) with z = log x: with the volume factor θ̂ gives the moments of log x.

    log p(x) = θᵀT(x) + r(x) with r = −log x, which the volume factor z takes away again.
    """
    domain = InCoordinates(Euclidean(1), Log())
    x = (0.5 + 0.8 * normal((500, 1), LIKE, seeded("x"))).exp()
    domain.check(x)
    inner, chart = coordinates(domain)
    z = working_rows(domain, x)

    def slopes(z):
        return torch.stack([-z, torch.ones_like(z)], 2)

    base = torch.func.jvp(
        lambda z: -chart.inverse(z).log().sum(1) + chart.log_abs_det(z), (z,), (torch.ones_like(z),)
    )[1]
    torch.testing.assert_close(base, torch.zeros(500, dtype=DOUBLE))
    a = torch.einsum("nkp,nkq->pq", slopes(z), weighted_field(inner, z, slopes(z))) / 500
    b = inner.divergence(lambda z: weighted_field(inner, z, slopes(z)), z).mean(0)
    precision, eta = -torch.linalg.solve(a, b)
    torch.testing.assert_close(eta / precision, z.mean())
    torch.testing.assert_close(1 / precision, z.var(unbiased=False))


def test_a_row_without_coordinates_or_outside_the_inner_domain_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"got -1 \(row 1, column 0\)"):
        InCoordinates(Euclidean(1), Log()).check(torch.tensor([[1.0], [-1.0]]))
    with pytest.raises(InvalidInput, match=r"column 0 must lie between -1 and 1: got 2 \(row 1"):
        InCoordinates(Box(-1, 1), Log()).check(torch.tensor([[0.5], [2.0]]).double().exp())
    with pytest.raises(InvalidInput, match="strictly between"):
        InCoordinates(Euclidean(1), Logit()).check(torch.tensor([[1.0]]))


def test_all_rows_on_a_boundary_are_refused() -> None:
    corners = torch.eye(3, dtype=DOUBLE)
    for domain in (FlatSimplex(3), SqrtSimplex(3)):
        with pytest.raises(InvalidInput, match="every row lies on the boundary of"):
            check_interior(domain, corners)
        check_interior(domain, torch.cat([corners, torch.full((1, 3), 1 / 3)]))
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=DOUBLE)
    with pytest.raises(InvalidInput, match="column 1 lies on the boundary of PositiveOrthant"):
        check_interior(PositiveOrthant(2), x)
    with pytest.raises(InvalidInput, match="column 0 lies on the boundary of Box"):
        check_interior(Box([1.0, 0.0], 2.0, weight=Power(1.0)), torch.tensor([[1.0, 0.5]] * 2))
    check_interior(Euclidean(2), x)
    check_interior(LogRatioSimplex(3), torch.full((1, 3), 1 / 3, dtype=DOUBLE))
