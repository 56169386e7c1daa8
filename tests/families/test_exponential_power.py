from __future__ import annotations

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import REAL1, vector
from families.moments import assert_moments
from scorematching.domains import Euclidean
from scorematching.errors import InvalidInput
from scorematching.estimation import estimate, matching_loss
from scorematching.families import ExponentialPower, ExponentialPowerDensity


def test_the_density_and_its_moments_are_those_of_scipy() -> None:
    family = ExponentialPower(0.3)
    model = family.model(vector(1.4, 2.6))
    oracle = stats.gennorm(2.6, loc=0.3, scale=1.4)
    expected = torch.from_numpy(oracle.logpdf(REAL1[:, 0].numpy()))
    torch.testing.assert_close(model.log_density(REAL1), expected)
    torch.testing.assert_close(family.log_density(REAL1, vector(1.4, 2.6)), expected)
    assert model.mean.item() == pytest.approx(oracle.mean())
    assert model.location.item() == 0.3
    assert model.covariance.item() == pytest.approx(oracle.var())


@pytest.mark.parametrize("beta", [1.1, 2.0, 5.0])
def test_draws_have_the_moments(beta: float, generator: torch.Generator) -> None:
    model = ExponentialPowerDensity(-1.0, 2.0, beta)
    assert_moments(model.sample(60_000, generator), model.mean, model.covariance)


@pytest.mark.parametrize("beta", [0.7, 1.0, 2.0, 3.5])
def test_the_expected_loss_has_its_minimum_at_the_truth(beta: float) -> None:
    family, theta = ExponentialPower(0.3), vector(1.4, beta)
    u, w = quadrature.panels(-60, 5, 800)  # of log |x − m|; both sides of m count alike
    x = 0.3 + u.exp()[:, None]
    density = w * u.exp() * family.model(theta).log_density(x).exp()

    def slope(at: torch.Tensor) -> torch.Tensor:
        leaf = at.clone().requires_grad_()
        return torch.autograd.grad(density @ loss(family, x, leaf), leaf)[0]

    assert slope(theta).abs().max() < 1e-7
    assert slope(theta * vector(1.0, 1.01)).abs().max() > 1e-4


def loss(family: ExponentialPower, x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    value = family.loss(x, theta, family.domain)
    assert value is not None
    return value


def test_the_loss_is_that_of_its_domain_by_differentiation() -> None:
    family, theta = ExponentialPower(0.3), vector(1.4, 2.6)
    score = family.model(theta).score
    expected = matching_loss(score, REAL1[1:], family.domain)
    torch.testing.assert_close(loss(family, REAL1[1:], theta), expected)
    assert family.loss(REAL1, theta, Euclidean(1)) is None


@pytest.mark.parametrize("theta", [vector(1.4, 1.0), vector(1.4, 2.0)])
def test_second_derivatives_are_right_where_an_exponent_is_a_whole_number(
    theta: torch.Tensor,
) -> None:
    family = ExponentialPower(0.3)
    for function in (
        lambda at: loss(family, REAL1[1:], at).sum(),
        lambda at: family.log_density(REAL1[1:], at).sum(),
    ):
        exact = torch.autograd.functional.hessian(function, theta)
        nearby = torch.autograd.functional.hessian(function, theta + 1e-6)
        torch.testing.assert_close(exact, nearby, atol=1e-3, rtol=1e-3)


def test_rows_at_the_location_count_nothing() -> None:
    family = ExponentialPower(0.3)
    rows = torch.tensor([[0.3], [0.1 + 0.2], [0.3000001]], dtype=torch.float64)
    theta = vector(1.4, 0.8).requires_grad_()
    values = loss(family, rows, theta)
    assert values[0] == values[1] == 0
    assert values[2] != 0
    slope = torch.autograd.grad(values.sum(), theta)[0]
    assert slope.isfinite().all()


@pytest.mark.parametrize("beta", [0.8, 1.0, 2.0, 5.0])
def test_the_truth_is_found_within_standard_errors(beta: float, generator: torch.Generator) -> None:
    x = ExponentialPowerDensity(-1.0, 0.7, beta).sample(4_000, generator)
    est = estimate(ExponentialPower(-1.0), x)
    assert ((est.theta - vector(0.7, beta)) / est.std_errors).abs().max() < 3.5


def test_the_start_is_the_maximum_of_the_likelihood(generator: torch.Generator) -> None:
    family = ExponentialPower(0.5)
    x = 1e5 * (ExponentialPowerDensity(0.5, 1.3, 3.0).sample(2_000, generator) - 0.5) + 0.5
    (start,) = family.starts(x)
    found = family.log_density(x, start).mean()
    for factor in (vector(0.97, 1), vector(1.03, 1), vector(1, 0.9), vector(1, 1.1)):
        assert family.log_density(x, start * factor).mean() < found


@pytest.mark.parametrize(("theta", "name"), [((-0.1, 1.0), "alpha"), ((1.0, 0.0), "beta")])
def test_parameters_that_are_not_positive_are_named(theta: tuple[float, ...], name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} must be greater than 0.*theta stands"):
        ExponentialPower().model(vector(*theta))
