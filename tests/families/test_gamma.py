from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import POSITIVE1, vector
from families.matching import rows_of
from families.moments import assert_moments
from scorematching.errors import InvalidInput
from scorematching.families import Gamma


def test_the_density_and_its_moments_are_those_of_scipy() -> None:
    model = Gamma().model(vector(2.3, 1.7))
    oracle = stats.gamma(2.3, scale=1 / 1.7)
    expected = torch.from_numpy(oracle.logpdf(POSITIVE1[:, 0].numpy()))
    torch.testing.assert_close(model.log_density(POSITIVE1), expected)
    assert model.mean.item() == pytest.approx(oracle.mean())
    assert model.covariance.item() == pytest.approx(oracle.var())


def test_score_matching_with_weight_x_squared_gives_the_moment_estimators() -> None:
    x = POSITIVE1 + torch.arange(3)[:, None]
    alpha, beta = rows_of(Gamma(), x).solve()
    torch.testing.assert_close(beta, x.mean() / x.var(correction=0))
    torch.testing.assert_close(alpha, beta * x.mean())


@pytest.mark.parametrize("alpha", [0.2, 1.0, 7.0])
def test_the_expected_gradient_is_zero_at_the_truth(alpha: float) -> None:
    theta = vector(alpha, 1.7)
    model = Gamma().model(theta)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return model.log_density(x).exp()[:, None] * rows_of(Gamma(), x).gradient(theta)

    assert quadrature.on_half_line(gradient).abs().max() < 1e-9


@pytest.mark.parametrize("alpha", [0.05, 0.7, 3.0])
def test_draws_have_the_moments(alpha: float, generator: torch.Generator) -> None:
    model = Gamma().model(vector(alpha, 2.0))
    assert_moments(model.sample(60_000, generator), model.mean, model.covariance)


@pytest.mark.parametrize(("theta", "name"), [((-0.1, 1.0), "alpha"), ((1.0, 0.0), "beta")])
def test_parameters_that_are_not_positive_are_named(theta: tuple[float, ...], name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} must be greater than 0.*theta stands"):
        Gamma().model(vector(*theta))


def test_below_zero_the_density_is_zero() -> None:
    assert Gamma().model(vector(2.0, 1.0)).log_density(vector(-0.5)).item() == -math.inf
