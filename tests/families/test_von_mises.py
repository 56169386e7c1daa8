from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import vector
from families.matching import rows_of
from families.moments import z_scores
from scorematching.families import VonMises, VonMisesDensity, VonMisesFisher


@pytest.mark.parametrize(("kappa", "mu"), [(0.0, 0.0), (1e-9, 1.0), (0.7, -2.0), (300.0, 3.0)])
def test_the_density_is_that_of_scipy(kappa: float, mu: float) -> None:
    model = VonMises().model(vector(kappa * math.cos(mu), kappa * math.sin(mu)))
    x = vector(-3.0, 0.2, 3.1)
    expected = torch.from_numpy(stats.vonmises(max(kappa, 1e-12), loc=mu).logpdf(x.numpy()))
    torch.testing.assert_close(model.log_density(x), expected, atol=1e-9, rtol=1e-9)
    assert model.kappa == pytest.approx(kappa)


@pytest.mark.parametrize(("kappa", "mu"), [(0.0, 0.0), (1e-7, 1.0), (0.7, -2.0), (300.0, 3.0)])
def test_draws_have_the_trigonometric_moments(
    kappa: float, mu: float, generator: torch.Generator
) -> None:
    model = VonMisesDensity(kappa, mu)
    x = model.sample(40_000, generator)
    assert ((x > -math.pi) & (x <= math.pi)).all()
    for order in (1, 2):
        angle, w = quadrature.panels(-math.pi, math.pi)
        density = w * model.log_density(angle).exp()
        for wave in (torch.cos, torch.sin):
            assert (
                z_scores(wave(order * (x - mu)), density @ wave(order * (angle - mu))).abs() < 4.5
            )
    if kappa:
        length = torch.cos(x - mu).mean().item()
        assert length == pytest.approx(model.mean_resultant_length, abs=0.02)


def test_the_estimate_is_that_of_the_same_points_as_unit_vectors() -> None:
    angle = vector(0.3, 1.2, -0.8, 2.9, 0.4)[:, None]
    x = torch.cat([angle.cos(), angle.sin()], dim=1)
    circle, sphere = rows_of(VonMises(), angle), rows_of(VonMisesFisher(2), x)
    torch.testing.assert_close(circle.solve(), sphere.solve())
    torch.testing.assert_close(circle.standard_errors(), sphere.standard_errors())


def test_the_expected_gradient_is_zero_at_the_truth() -> None:
    theta = vector(-1.5, 0.8)
    model = VonMises().model(theta)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return model.log_density(x).exp()[:, None] * rows_of(VonMises(), x).gradient(theta)

    assert quadrature.on_line(gradient, 0, 2 * math.pi).abs().max() < 1e-12
