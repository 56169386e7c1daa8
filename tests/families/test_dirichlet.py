from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import SIMPLEX3, vector
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
from scorematching.families import Beta, Dirichlet, DirichletDensity

GEOMETRIES = [
    SqrtSimplex(3),
    SqrtSimplex(3, weight=ProdSq(0.1)),
    FlatSimplex(3),
    FlatSimplex(3, weight=ProdSq(0.1)),
    LogRatioSimplex(3),
]


def test_the_density_and_its_moments_are_those_of_scipy() -> None:
    model = Dirichlet(3).model(vector(-0.6, 0.4, 2.0))
    oracle = stats.dirichlet([0.4, 1.4, 3.0])
    expected = torch.from_numpy(oracle.logpdf(SIMPLEX3.numpy().T))
    torch.testing.assert_close(model.log_density(SIMPLEX3), expected)
    torch.testing.assert_close(model.mean, torch.from_numpy(oracle.mean()))
    torch.testing.assert_close(model.covariance.diagonal(), torch.from_numpy(oracle.var()))


def test_two_parts_are_the_beta_distribution() -> None:
    x = SIMPLEX3[:, :1]
    both = torch.cat([x, 1 - x], dim=1)
    one, other = Dirichlet(2).model(vector(0.3, 1.5)), Beta().model(vector(1.3, 2.5))
    torch.testing.assert_close(one.log_density(both), other.log_density(x))


def test_draws_have_the_moments(generator: torch.Generator) -> None:
    model = DirichletDensity(vector(0.05, 0.4, 2.0))
    x = model.sample(40_000, generator)
    assert_moments(x, model.mean, model.covariance)
    assert (x > 0).any(1).all()
    torch.testing.assert_close(x.sum(1), torch.ones(len(x)).double())


@pytest.mark.parametrize("domain", GEOMETRIES, ids=lambda each: type(each).__name__)
def test_estimates_have_mean_zero_gradient_at_the_truth(
    domain: AnyDomain, generator: torch.Generator
) -> None:
    theta = vector(-0.6, 0.4, 2.0)
    rows = rows_of(Dirichlet(3), Dirichlet(3).model(theta).sample(5_000, generator), domain)
    assert ((rows.solve() - theta) / rows.standard_errors()).abs().max() < 4


@pytest.mark.parametrize("domain", [FlatSimplex(3), SqrtSimplex(3)])
def test_zeros_weigh_as_their_limit(domain: AnyDomain) -> None:
    zero = torch.tensor([[0.0, 0.3, 0.7]], dtype=torch.float64)
    near = torch.tensor([[1e-6, 0.3, 0.7 - 1e-6]], dtype=torch.float64)
    at, limit = rows_of(Dirichlet(3), zero, domain), rows_of(Dirichlet(3), near, domain)
    torch.testing.assert_close(at.a, limit.a, atol=1e-4, rtol=0)
    torch.testing.assert_close(at.b, limit.b, atol=1e-4, rtol=0)
    assert at.a.abs().max() > 0.5


def test_a_zero_on_the_sphere_weighs_as_worked_out_by_hand() -> None:
    # T = 2 log z, w = z₁² → 0: A = w(4δⱼₖ/zⱼ² − 4) → diag(4, 0, 0); b = ∇w·P∇T + wΔT + ½A1, the
    # last from r = Σ log zⱼ, → (4 − 2 + 2, 0, 0)
    zero = torch.tensor([[0.0, 0.3, 0.7]], dtype=torch.float64)
    rows = rows_of(Dirichlet(3), zero, SqrtSimplex(3))
    torch.testing.assert_close(rows.a[0], torch.diag(vector(4.0, 0, 0)), atol=1e-6, rtol=0)
    torch.testing.assert_close(rows.b[0], vector(4.0, 0, 0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("beta", [-1.0, -1.2])
def test_beta_of_minus_one_or_less_is_refused(beta: float) -> None:
    with pytest.raises(InvalidInput, match=r"beta\[2\] must be greater than -1.*theta stands"):
        Dirichlet(3).model(vector(0.0, beta, 0.0))


def test_with_a_negative_part_the_density_is_zero() -> None:
    x = torch.tensor([[-0.1, 0.6, 0.5]], dtype=torch.float64)
    assert Dirichlet(3).model(vector(1.0, 1.0, 1.0)).log_density(x).item() == -math.inf


def test_estimates_agree_with_scorematchingad(shared: Path) -> None:
    text = (shared / "reference/expected.json").read_text()
    expected = json.loads(text)["dirichlet_simplex"]
    file = shared / "reference" / expected["file"]
    x = torch.from_numpy(np.loadtxt(file, delimiter=",", skiprows=1))
    to_n_minus_1 = math.sqrt(len(x) / (len(x) - 1))
    domains = FlatSimplex(3, weight=ProdSq(0.1)), SqrtSimplex(3, weight=MinSq(0.1))
    for domain, case in zip(domains, expected["cases"], strict=True):
        rows = rows_of(Dirichlet(3), x, domain)
        assert rows.solve().tolist() == pytest.approx(case["theta"], rel=1e-6)
        errors = rows.standard_errors() * to_n_minus_1
        assert errors.tolist() == pytest.approx(case["se"], rel=1e-6)


def test_the_density_integrates_to_one_over_the_triangle() -> None:
    model = Dirichlet(3).model(vector(-0.6, 0.4, 2.0))
    assert quadrature.on_triangle(lambda x: model.log_density(x).exp()).item() == pytest.approx(1)
