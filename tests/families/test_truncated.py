from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import vector
from families.moments import assert_moments, z_scores
from scorematching.domains import Ball, Box, PositiveOrthant
from scorematching.errors import InvalidInput
from scorematching.families import Gaussian, TruncatedGaussian, TruncatedNormal

CASES = [
    TruncatedNormal(0.5, 1.0, 0.0, math.inf),
    TruncatedNormal(-1.0, 2.0, -0.5, 3.0),
    TruncatedNormal(0.0, 1.0, 6.0, math.inf),
    TruncatedNormal(0.0, 1.0, -math.inf, -4.0),
    TruncatedNormal(2.0, 0.7, -math.inf, math.inf),
]


@pytest.mark.parametrize("model", CASES)
def test_density_and_moments_are_those_of_scipy(model: TruncatedNormal) -> None:
    a, b = (model.low - model.mu) / model.sigma, (model.high - model.mu) / model.sigma
    oracle = stats.truncnorm(a, b, loc=model.mu, scale=model.sigma)
    x = torch.from_numpy(oracle.ppf([0.1, 0.5, 0.9]))
    torch.testing.assert_close(model.log_density(x), torch.from_numpy(oracle.logpdf(x.numpy())))
    assert model.mean.item() == pytest.approx(oracle.mean(), rel=1e-9)
    assert model.covariance.item() == pytest.approx(oracle.var(), rel=1e-6)


@pytest.mark.parametrize("model", CASES)
def test_draws_follow_the_density(model: TruncatedNormal, generator: torch.Generator) -> None:
    x = model.sample(40_000, generator)
    assert ((x >= model.low) & (x <= model.high)).all()
    assert_moments(x, model.mean, model.covariance)


def test_far_out_in_the_tail_nothing_is_lost(generator: torch.Generator) -> None:
    # beyond 40σ the excess is exponential with rate 40 up to a relative 1/1600
    model = TruncatedNormal(0.0, 1.0, 40.0, math.inf)
    excess = model.sample(20_000, generator) - 40
    assert z_scores(excess, 1 / 40 - 2 / 40**3).abs() < 4.5
    inside = lambda x: model.log_density(x).exp()  # noqa: E731
    assert quadrature.on_line(inside, 40, 41).item() == pytest.approx(1, abs=1e-10)


def test_outside_the_interval_the_density_is_zero() -> None:
    model = TruncatedNormal(0.0, 1.0, -1.0, 2.0)
    assert model.log_density(vector(-1.1, 2.1)).tolist() == [-math.inf, -math.inf]
    assert model.log_density(vector(-1.0, 2.0)).isfinite().all()


def test_location_and_precision_are_those_before_truncation() -> None:
    model = Gaussian(1).model_on(vector(4.0, 2.0), PositiveOrthant(1))
    assert isinstance(model, TruncatedNormal)
    assert model.location.item() == pytest.approx(0.5)
    assert model.precision.item() == pytest.approx(4.0)
    assert model.mean.item() > 0.5


@pytest.mark.parametrize(
    "domain", [PositiveOrthant(2), Box((-0.1, 0.2), (1.5, math.inf)), Ball(2, 1.3, (0.5, 0.0))]
)
def test_rejection_draws_follow_the_truncated_density(
    domain: PositiveOrthant | Box | Ball, generator: torch.Generator
) -> None:
    precision = torch.tensor([[2.0, 0.6], [0.6, 1.0]], dtype=torch.float64)
    model = TruncatedGaussian(precision, vector(0.3, 0.8), domain)
    nodes, weights = quadrature.panels(-8, 8, 200, 4)
    grid = torch.cartesian_prod(nodes, nodes)
    density = model.log_density(grid).exp() * torch.outer(weights, weights).flatten()
    density = density / density.sum()
    mean = density @ grid
    covariance = (grid - mean).mT @ (density[:, None] * (grid - mean))
    x = model.sample(10_000, generator)
    domain.check(x)
    # a grid cut by the boundary errs by less than a tenth of its spacing, 0.02
    assert ((x.mean(0) - mean).abs() < 4.5 * x.std(0) / len(x) ** 0.5 + 0.002).all()
    assert (torch.cov(x.mT) - covariance).abs().max() < 0.03


def test_outside_the_domain_the_truncated_density_is_zero() -> None:
    model = TruncatedGaussian(torch.eye(2).double(), vector(0.0, 0.0), PositiveOrthant(2))
    x = torch.tensor([[1.0, 1.0], [-0.1, 1.0], [1.0, -2.0]], dtype=torch.float64)
    assert model.log_density(x).tolist() == [-1.0, -math.inf, -math.inf]


def test_a_domain_that_the_gaussian_hardly_meets_is_refused(generator: torch.Generator) -> None:
    model = TruncatedGaussian(torch.eye(1).double(), vector(0.0), Box(7.0, 8.0))
    with pytest.raises(InvalidInput, match=r"accepts too few proposals.*sm\.samplers\.ula"):
        model.sample(10, generator)
