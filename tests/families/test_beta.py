from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import vector
from families.matching import rows_of
from families.moments import assert_moments
from scorematching.errors import InvalidInput
from scorematching.families import Beta

X = vector(0.05, 0.4, 0.93)[:, None]


def test_the_density_and_its_moments_are_those_of_scipy() -> None:
    model = Beta().model(vector(0.7, 2.4))
    oracle = stats.beta(0.7, 2.4)
    expected = torch.from_numpy(oracle.logpdf(X[:, 0].numpy()))
    torch.testing.assert_close(model.log_density(X), expected)
    assert model.mean.item() == pytest.approx(oracle.mean())
    assert model.covariance.item() == pytest.approx(oracle.var())


@pytest.mark.parametrize("theta", [vector(0.3, 0.5), vector(1.0, 4.0), vector(5.0, 5.0)])
def test_the_expected_gradient_is_zero_at_the_truth(theta: torch.Tensor) -> None:
    model = Beta().model(theta)
    u, w = quadrature.panels(-80, 80, 1000)  # of the log-odds, with the kink of the weight at 0
    x = u.sigmoid()[:, None]
    inside = (x[:, 0] > 1e-30) & (x[:, 0] < 1 - 1e-15)
    x, w = x[inside], w[inside] * (x * (1 - x))[inside, 0]
    gradient = rows_of(Beta(), x).gradient(theta)
    density = w * model.log_density(x).exp()
    assert (density @ gradient).abs().max() < 1e-6
    assert (density @ rows_of(Beta(), x).gradient(theta + 0.01)).abs().max() > 1e-4


def test_draws_have_the_moments(generator: torch.Generator) -> None:
    for theta in (vector(0.2, 0.3), vector(3.0, 1.5)):
        model = Beta().model(theta)
        assert_moments(model.sample(40_000, generator), model.mean, model.covariance)


@pytest.mark.parametrize(("theta", "name"), [((-0.1, 1.0), "alpha"), ((1.0, 0.0), "beta")])
def test_parameters_that_are_not_positive_are_named(theta: tuple[float, ...], name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} must be greater than 0.*theta stands"):
        Beta().model(vector(*theta))


def test_outside_the_interval_the_density_is_zero() -> None:
    values = Beta().model(vector(2.0, 2.0)).log_density(vector(-0.5, 1.5))
    assert values.tolist() == [-math.inf, -math.inf]
