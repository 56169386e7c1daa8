from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import REAL3, W3, vector
from families.moments import assert_moments
from scorematching.calculus import gradient, laplacian
from scorematching.domains import Euclidean, InCoordinates, Log, PositiveOrthant
from scorematching.errors import InvalidInput
from scorematching.estimation import estimate
from scorematching.families import (
    IndependentComponents,
    IndependentComponentsDensity,
    amari_distance,
)
from scorematching.families.whitening import LinearMap
from scorematching.random import normal, uniform


def test_the_square_density_is_that_of_independent_logistic_sources() -> None:
    model = IndependentComponentsDensity(W3)
    sources = torch.linalg.solve(torch.linalg.inv(W3), REAL3.mT).mT
    oracle = stats.logistic(scale=math.sqrt(3) / math.pi).logpdf(sources.numpy()).sum(1)
    expected = torch.from_numpy(oracle) + W3.det().abs().log()
    torch.testing.assert_close(model.log_density(REAL3), expected)
    torch.testing.assert_close(model.sources(REAL3), sources)
    torch.testing.assert_close(model.mixing, torch.linalg.inv(W3))


def test_draws_have_the_covariance_of_the_mixing(generator: torch.Generator) -> None:
    x = IndependentComponentsDensity(W3).sample(40_000, generator)
    mixing = torch.linalg.inv(W3)
    assert_moments(x, torch.zeros(3).double(), mixing @ mixing.mT)


def test_the_second_derivative_is_smooth_at_zero() -> None:
    # Δ log p = −(π²/6) Σ‖w_k‖² at x = 0, where |s| would have a kink
    model = IndependentComponentsDensity(W3)
    found = laplacian(model.log_density, torch.zeros(1, 3).double())
    assert found.item() == pytest.approx(-(math.pi**2) / 6 * W3.square().sum().item(), rel=1e-12)


@pytest.mark.parametrize("components", [3, 5])
def test_the_loss_is_half_the_squared_score_plus_its_divergence(
    components: int, generator: torch.Generator
) -> None:
    family = IndependentComponents(3, components)
    theta = normal((3 * components,), REAL3, generator)
    loss = family.loss(REAL3, theta, Euclidean(3))
    model = family.model(theta)
    expected = model.score(REAL3).square().sum(1) / 2 + laplacian(model.log_density, REAL3)
    torch.testing.assert_close(loss, expected)


def test_in_linear_coordinates_the_loss_is_that_of_the_density_there() -> None:
    family = IndependentComponents(3)
    chart = LinearMap(W3)
    theta = torch.linspace(-1, 2, 9).double().square()

    def log_density(z: torch.Tensor) -> torch.Tensor:
        return family.log_density(chart.inverse(z), theta)

    loss = family.loss(REAL3, theta, InCoordinates(Euclidean(3), chart))
    score = gradient(log_density, REAL3)
    torch.testing.assert_close(loss, score.square().sum(1) / 2 + laplacian(log_density, REAL3))


def test_on_other_domains_the_loss_is_left_to_differentiation() -> None:
    family, theta = IndependentComponents(3), W3.flatten()
    for domain in (PositiveOrthant(3), InCoordinates(Euclidean(3), Log())):
        assert family.loss(REAL3, theta, domain) is None


def loss(family: IndependentComponents, x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    value = family.loss(x, theta, Euclidean(family.d))
    assert value is not None
    return value


def test_overcomplete_filters_are_the_minimum_of_the_expected_loss() -> None:
    family = IndependentComponents(2, 3)
    theta = vector(1.5, 0.2, -0.7, 1.1, 0.5, -1.6)
    model = family.model(theta)
    assert not model.normalised
    nodes, weights = quadrature.panels(-25, 25, 60, 8)
    x = torch.cartesian_prod(nodes, nodes)
    density = model.log_density(x).exp() * torch.outer(weights, weights).flatten()
    density = density / density.sum()

    def slope(at: torch.Tensor) -> torch.Tensor:
        leaf = at.clone().requires_grad_()
        return torch.autograd.grad(density @ loss(family, x, leaf), leaf)[0]

    assert slope(theta).abs().max() < 1e-8
    assert slope(1.01 * theta).abs().max() > 1e-4


def test_starts_are_frames_of_the_whitened_rows(generator: torch.Generator) -> None:
    x = normal((500, 3), W3, generator) @ W3.mT
    for family in (IndependentComponents(3), IndependentComponents(3, 5)):
        starts = family.starts(x, generator)
        assert starts.shape == (4, len(family.names))
        for start in starts:
            w = start.reshape(family.m, 3)
            covariance = torch.cov(x.mT, correction=0)
            frame = torch.linalg.cholesky(covariance).mT @ w.mT  # any root of the covariance
            expected = torch.eye(3).double() * family.m / 3
            torch.testing.assert_close(frame @ frame.mT, expected)
    assert (starts[0] - starts[1]).abs().max() > 0.1


def test_a_mixing_is_recovered_from_ten_thousand_rows(generator: torch.Generator) -> None:
    u = uniform((10_000, 3), torch.empty(0).double(), generator) - 0.5
    sources = -u.sign() * torch.log1p(-2 * u.abs())  # Laplace, not the logistic of the model
    mixing = normal((3, 3), u, generator)
    mixing[:, 0] *= 10
    est = estimate(IndependentComponents(3), sources @ mixing.mT, covariance=None)
    assert amari_distance(est.model.unmixing, mixing) < 0.05


def test_rows_are_matched_in_whitened_coordinates(generator: torch.Generator) -> None:
    x = normal((500, 3), W3, generator) @ W3.mT
    domain = IndependentComponents(3).domain_for(x)
    z = domain.chart.forward(x)
    torch.testing.assert_close(torch.cov(z.mT, correction=0), torch.eye(3).double())


def test_collinear_columns_and_singular_filters_are_refused() -> None:
    flat = torch.cat([REAL3, REAL3[:, :1]], dim=1)
    with pytest.raises(InvalidInput, match="collinear"):
        IndependentComponents(4).starts(flat)
    with pytest.raises(InvalidInput, match="W must have full rank"):
        IndependentComponents(2).model(vector(1.0, 2.0, 2.0, 4.0))
    with pytest.raises(InvalidInput, match="at least as many components as columns, 3: got 2"):
        IndependentComponents(3, 2)
    overcomplete = IndependentComponents(2, 3).model(W3[:, :2].flatten())
    with pytest.raises(InvalidInput, match="as many components as columns"):
        overcomplete.sample(3)


def test_it_lives_on_all_of_space() -> None:
    assert IndependentComponents(3).domain == Euclidean(3)
