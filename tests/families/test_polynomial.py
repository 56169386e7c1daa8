from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import vector
from families.matching import rows_of
from scorematching.domains import Box, PositiveOrthant, Sphere
from scorematching.errors import InvalidInput
from scorematching.families import PolynomialDensity, PolynomialExponential, model_on


def density(*theta: float) -> PolynomialDensity:
    return PolynomialExponential(len(theta)).model(vector(*theta))


def test_degree_two_is_the_gaussian() -> None:
    model = density(3.0, -2.0)  # mean 3/4, variance 1/4
    x = vector(-1.0, 0.3, 2.0)
    oracle = stats.norm(0.75, 0.5)
    torch.testing.assert_close(model.log_density(x), torch.from_numpy(oracle.logpdf(x.numpy())))
    assert model.mean.item() == pytest.approx(0.75, rel=1e-10)
    assert model.covariance.item() == pytest.approx(0.25, rel=1e-10)


@pytest.mark.parametrize(
    ("theta", "low", "high"),
    [
        ((0.3, 1.0, -0.4, -0.3), -12, 12),
        ((0.0, 40.0, 0.0, -4.0), -6, 6),  # two modes 100 nats above the middle
        ((500.0, -2.0), 100, 150),  # far from zero
        ((1e-3, -1e-6), -6000, 8000),  # wide
        ((0.2, -0.1, 0.3, -0.5, 0.1, -0.05), -6, 6),
    ],
)
def test_mass_and_moments_are_those_of_another_quadrature(
    theta: tuple[float, ...], low: float, high: float
) -> None:
    model = density(*theta)

    def moments(x: torch.Tensor) -> torch.Tensor:
        p = model.log_density(x).exp()[:, None]
        return p * torch.cat([torch.ones_like(x), x - model.mean, (x - model.mean) ** 2], dim=1)

    mass, mean, variance = quadrature.on_line(moments, low, high, 2000)
    spread = model.covariance.item()
    assert mass.item() == pytest.approx(1, abs=1e-9)
    assert mean.item() == pytest.approx(0, abs=1e-8 * math.sqrt(spread))
    assert variance.item() == pytest.approx(spread, rel=1e-8)


def test_the_expected_gradient_is_zero_at_the_truth() -> None:
    family, theta = PolynomialExponential(4), vector(0.3, 1.0, -0.4, -0.3)
    model = family.model(theta)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return model.log_density(x).exp()[:, None] * rows_of(family, x).gradient(theta)

    assert quadrature.on_line(gradient, -12, 12).abs().max() < 1e-10


def test_on_an_interval_any_degree_has_a_density() -> None:
    family, theta = PolynomialExponential(3), vector(1.0, -2.0, 3.0)
    model = model_on(family, theta, Box(-1.0, 2.0))
    assert isinstance(model, PolynomialDensity)
    p = lambda x: model.log_density(x).exp()  # noqa: E731
    assert quadrature.on_line(p, -1, 2).item() == pytest.approx(1, abs=1e-10)
    assert model.log_density(vector(-1.5, 2.5)).tolist() == [-math.inf, -math.inf]


def test_on_the_half_line_degree_one_is_the_exponential() -> None:
    model = model_on(PolynomialExponential(1), vector(-2.0), PositiveOrthant(1))
    assert isinstance(model, PolynomialDensity)
    assert model.log_normaliser == pytest.approx(-math.log(2), rel=1e-10)
    assert model.mean.item() == pytest.approx(0.5, rel=1e-9)
    assert model.covariance.item() == pytest.approx(0.25, rel=1e-9)


@pytest.mark.parametrize("theta", [(1.0,), (0.0, 1.0), (0.0, -1.0, -1.0), (0.0, -1.0, 0.0, 0.0)])
def test_a_polynomial_that_does_not_fall_on_both_sides_is_refused(theta: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"must fall to −∞.*theta stands.*Box\(low, high\)"):
        density(*theta)


def test_a_domain_that_is_no_interval_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expected an interval"):
        PolynomialExponential(2).model_on(vector(0.0, -1.0), Sphere(2))
