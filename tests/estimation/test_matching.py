from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from scorematching.calculus import score_of
from scorematching.domains import (
    Ball,
    Box,
    Domain,
    Euclidean,
    FlatSimplex,
    LogRatioSimplex,
    MinSq,
    PositiveOrthant,
    Product,
    Sphere,
    tangent_divergence,
)
from scorematching.errors import InvalidInput
from scorematching.estimation import matching_loss
from scorematching.estimation.matching import along, along_by_nested_passes, frame_of
from scorematching.random import seeded, uniform

LIKE = torch.zeros((), dtype=torch.float64)


def positive_rows(n: int = 6, d: int = 3) -> Tensor:
    return 0.1 + 0.8 * uniform((n, d), LIKE, seeded("matching", d))


def rows_of(domain: Domain) -> Tensor:
    x = positive_rows()
    if isinstance(domain, Sphere):
        return x / x.norm(dim=1, keepdim=True)
    if isinstance(domain, FlatSimplex):
        return x / x.sum(1, keepdim=True)
    return x / 2


@dataclass(frozen=True)
class Disc:
    """A domain of one's own in ten lines."""

    d = 3

    def check(self, x: Tensor) -> None:
        assert (x.square().sum(1) <= 1).all()

    def weight(self, x: Tensor) -> Tensor:
        return 1 - x.square().sum(1)

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        return v

    def divergence(self, field: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return tangent_divergence(self.project, field, x)


DOMAINS = [
    Euclidean(3),
    PositiveOrthant(3),
    PositiveOrthant(3, weight=MinSq(1.0)),
    Box([0.0] * 3, [1.0, 2.0, float("inf")]),
    Ball(3, radius=2.0),
    Sphere(3),
    FlatSimplex(3),
    Product((PositiveOrthant(1), Ball(2))),
    Disc(),
]


def log_density(x: Tensor) -> Tensor:
    return x[:, 0] * x[:, 1] + x[:, 2].sin() - (x[:, 0] + x[:, 2]).exp() / 3 + x.log().sum(1)


def test_the_loss_of_a_normal_score_is_half_its_square_minus_its_precision() -> None:
    x = positive_rows(5, 2)
    K = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    expected = (x @ K).square().sum(1) / 2 - K.trace()
    torch.testing.assert_close(matching_loss(lambda x: -x @ K, x, Euclidean(2)), expected)


def test_the_loss_on_the_orthant_is_that_of_yu_drton_and_shojaie() -> None:
    # s = −x, w = x below the cap: ½ Σ x³ − Σ ∂(x²) = ½ Σ x³ − 2 Σ x
    x = positive_rows()
    expected = (x**3).sum(1) / 2 - 2 * x.sum(1)
    torch.testing.assert_close(matching_loss(lambda x: -x, x, PositiveOrthant(3)), expected)


def test_the_loss_on_the_sphere_is_that_of_mardia_kent_and_laha() -> None:
    x = rows_of(Sphere(3))
    theta = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    expected = (theta @ theta - (x @ theta) ** 2) / 2 - 2 * (x @ theta)
    torch.testing.assert_close(matching_loss(lambda x: theta.expand_as(x), x, Sphere(3)), expected)


def test_a_row_outside_and_a_charted_domain_are_refused() -> None:
    with pytest.raises(InvalidInput, match="row 1"):
        matching_loss(lambda x: -x, torch.tensor([[1.0], [-1.0]]).double(), PositiveOrthant(1))
    with pytest.raises(InvalidInput, match=r"domain\.inner"):
        matching_loss(lambda x: -x, positive_rows(), LogRatioSimplex(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: type(domain).__name__)
def test_the_generator_gives_the_loss_of_the_weighted_divergence(domain: Domain) -> None:
    x = rows_of(domain)
    frame = frame_of(domain, x)
    slopes, generated = along(lambda x: log_density(x)[:, None], x, frame)
    found = (slopes.dense().square().sum(0) / 2 + generated)[:, 0]
    torch.testing.assert_close(found, matching_loss(score_of(log_density), x, domain))


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: type(domain).__name__)
def test_the_directions_of_a_frame_have_the_weighted_projection_as_their_square(
    domain: Domain,
) -> None:
    x = rows_of(domain)
    directions = frame_of(domain, x).directions.dense()
    eye = torch.eye(3).to(x).expand(len(x), 3, 3)
    w = domain.weight(x)
    w = w[:, None].expand_as(x) if w.ndim == 1 else w
    expected = domain.project(x, w[:, :, None] * domain.project(x, eye))
    torch.testing.assert_close(torch.einsum("jni,jnk->nik", directions, directions), expected)


def test_nested_passes_agree_with_jets() -> None:
    x = rows_of(Sphere(3))
    frame = frame_of(Sphere(3), x)

    def function(x: Tensor) -> Tensor:
        return torch.stack([log_density(x), x[:, 0] ** 3], 1)

    one, other = along(function, x, frame), along_by_nested_passes(function, x, frame)
    torch.testing.assert_close(one[0].dense(), other[0].dense())
    torch.testing.assert_close(one[1], other[1])


def test_an_operation_in_place_falls_back_to_nested_passes() -> None:
    x = positive_rows()
    frame = frame_of(Euclidean(3), x)
    slopes, generated = along(lambda x: (x**2).mul_(3), x, frame)
    torch.testing.assert_close(slopes.dense().sum(0), 6 * x)
    torch.testing.assert_close(generated, torch.full_like(x, 6.0))


def test_values_without_a_derivative_are_refused_and_constants_are_not() -> None:
    x = positive_rows()
    frame = frame_of(Euclidean(3), x)
    with pytest.raises(InvalidInput, match="carry no derivative"):
        along(lambda x: x.detach() ** 2, x, frame)
    slopes, generated = along(torch.ones_like, x, frame)
    assert not slopes.dense().any()
    assert not generated.any()
