from __future__ import annotations

import math

import pytest
import torch

from families import quadrature
from families.cases import PPI3, PPI_THETA, SIMPLEX3, vector
from families.matching import rows_of
from families.moments import assert_moments
from scorematching.domains import (
    AnyDomain,
    FlatSimplex,
    LogRatioSimplex,
    MinSq,
    ProdSq,
    SqrtSimplex,
)
from scorematching.errors import InvalidInput
from scorematching.families import PPI, Dirichlet


def test_the_exponent_is_written_out() -> None:
    family = PPI(4)
    matrix = torch.tensor([[-3.0, 2.0, 0.5], [2.0, -5.0, 1.0], [0.5, 1.0, 4.0]]).double()
    linear, beta = vector(1.0, -2.0, 0.3), vector(-0.4, 0.6, -0.2, 1.0)
    x = vector(0.1, 0.4, 0.3, 0.2)
    exponent = family.statistics(x[None])[0] @ family.theta(matrix, linear, beta)
    torch.testing.assert_close(exponent, x[:3] @ matrix @ x[:3] + linear @ x[:3] + beta @ x.log())


def test_theta_is_the_diagonal_the_upper_triangle_by_columns_and_the_vectors() -> None:
    theta = torch.arange(13.0, dtype=torch.float64)
    matrix, linear, beta = PPI(4).parts(theta)
    assert matrix.tolist() == [[0, 3, 4], [3, 1, 5], [4, 5, 2]]
    assert linear.tolist() == [6, 7, 8]
    assert beta.tolist() == [9, 10, 11, 12]
    assert torch.equal(PPI(4).theta(matrix, linear, beta), theta)


def test_without_interactions_it_is_the_dirichlet_density_up_to_a_constant() -> None:
    beta = vector(-0.4, 0.6, -0.2)
    ppi = PPI3.model(torch.cat([torch.zeros(5).double(), beta])).log_density(SIMPLEX3)
    dirichlet = Dirichlet(3).model(beta).log_density(SIMPLEX3)
    assert (ppi - dirichlet).std() < 1e-13


def test_draws_have_the_moments_of_quadrature(generator: torch.Generator) -> None:
    model = PPI3.model(PPI_THETA)

    def moments(x: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([torch.ones(len(x), 1).double(), x], dim=1)
        return model.log_density(x).exp()[:, None, None] * rows[:, :, None] * rows[:, None, :]

    found = quadrature.on_triangle(moments)
    mean, second = found[0, 1:] / found[0, 0], found[1:, 1:] / found[0, 0]
    x = model.sample(30_000, generator)
    assert_moments(x, mean, second - torch.outer(mean, mean))


@pytest.mark.parametrize(
    "domain",
    [
        SqrtSimplex(3),
        SqrtSimplex(3, weight=ProdSq(0.1)),
        FlatSimplex(3, weight=MinSq(0.2)),
        FlatSimplex(3, weight=ProdSq(0.1)),
        LogRatioSimplex(3),
    ],
)
def test_estimates_have_mean_zero_gradient_at_the_truth(
    domain: AnyDomain, generator: torch.Generator
) -> None:
    rows = rows_of(PPI3, PPI3.model(PPI_THETA).sample(4_000, generator), domain)
    assert ((rows.solve() - PPI_THETA) / rows.standard_errors()).abs().max() < 4


@pytest.mark.parametrize("domain", [FlatSimplex(3), SqrtSimplex(3)])
def test_rows_with_one_zero_or_two_have_a_finite_weight(domain: AnyDomain) -> None:
    zeros = torch.tensor([[0.0, 0.3, 0.7], [0.0, 1.0, 0.0]], dtype=torch.float64)
    rows = rows_of(PPI3, zeros, domain)
    assert rows.a.isfinite().all()
    assert rows.b.isfinite().all()
    assert rows.a.abs().max() < 10
    near = torch.tensor([[1e-6, 0.3, 0.7 - 1e-6], [1e-6, 1 - 2e-6, 1e-6]]).double()
    near = near / near.sum(1, keepdim=True)
    torch.testing.assert_close(rows.a, rows_of(PPI3, near, domain).a, atol=1e-4, rtol=0)


def test_a_beta_of_minus_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"beta\[3\] must be greater than -1.*fixed="):
        PPI3.model(torch.cat([PPI_THETA[:-1], vector(-1.0)]))


def test_with_a_negative_part_the_density_is_zero() -> None:
    x = torch.tensor([[-0.1, 0.6, 0.5]], dtype=torch.float64)
    assert PPI3.model(PPI_THETA).log_density(x).item() == -math.inf
