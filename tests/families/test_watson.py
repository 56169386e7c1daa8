from __future__ import annotations

import math

import pytest
import torch

from families import quadrature
from families.cases import SPHERE3, vector
from families.matching import rows_of
from families.moments import assert_moments
from scorematching.errors import InvalidInput
from scorematching.families import FisherBingham, Watson, WatsonDensity
from scorematching.random import seeded

MU = vector(1.0, -2.0, 0.5) / vector(1.0, -2.0, 0.5).norm()


@pytest.mark.parametrize("kappa", [-6.0, 0.0, 3.0])
def test_mass_and_moments_are_those_of_quadrature(kappa: float) -> None:
    model = WatsonDensity(kappa, MU)

    def moments(x: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([torch.ones(len(x), 1).double(), x], dim=1)
        return model.log_density(x).exp()[:, None, None] * rows[:, :, None] * rows[:, None, :]

    found = quadrature.on_sphere(moments)
    assert found[0, 0].item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(found[1:, 1:], model.covariance, atol=1e-12, rtol=0)
    torch.testing.assert_close(found[0, 1:], model.mean, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kappa", [-6.0, 4.0])
def test_draws_have_the_moments(kappa: float, generator: torch.Generator) -> None:
    model = WatsonDensity(kappa, MU)
    assert_moments(model.sample(20_000, generator), model.mean, model.covariance)


@pytest.mark.parametrize("kappa", [-5.0, 4.0])
def test_replications_spread_as_the_standard_errors_say(kappa: float) -> None:
    model, family = WatsonDensity(kappa, MU), Watson(3)
    fits = [family.fit(model.sample(500, seeded("watson", k))) for k in range(300)]
    theta = torch.stack([fit.theta for fit in fits])
    theta[:, 1:] *= (theta[:, 1:] @ MU).sign()[:, None]
    truth = torch.cat([vector(kappa), MU])
    claimed = torch.stack([fit.influence.square().mean(0).sqrt() for fit in fits]) / math.sqrt(500)
    # a standard deviation of 300 replications is known to 1/√600 = 4%
    assert (claimed.mean(0) / theta.std(0) - 1).abs().max() < 0.14
    assert ((theta.mean(0) - truth) / theta.std(0)).abs().max() < 0.25


def test_kappa_is_matched_along_the_axis() -> None:
    fit = Watson(3).fit(SPHERE3)
    kappa, mu = fit.theta[0], fit.theta[1:]
    rows = rows_of(FisherBingham(3), SPHERE3)
    direction = FisherBingham(3).theta(torch.outer(mu, mu), torch.zeros(3))
    best = -(rows.b.mean(0) @ direction) / (direction @ rows.a.mean(0) @ direction)
    torch.testing.assert_close(kappa, best)
    scatter = SPHERE3.mT @ SPHERE3 / 3
    torch.testing.assert_close(scatter @ mu, (mu @ scatter @ mu) * mu)
    assert mu[mu.abs().argmax()] > 0
    torch.testing.assert_close(fit.influence.mean(0), torch.zeros(4).double(), atol=1e-12, rtol=0)


def test_of_the_two_axes_the_one_with_the_lower_objective_is_kept(
    generator: torch.Generator,
) -> None:
    for kappa in (-5.0, 5.0):
        x = WatsonDensity(kappa, MU).sample(2_000, generator)
        fit, starts = Watson(3).fit(x), Watson(3).starts(x)
        assert fit.theta[0].sign() == math.copysign(1, kappa)
        assert (fit.theta[1:] @ MU).abs() > 0.99
        assert any(torch.allclose(start, fit.theta) for start in starts)
        assert starts[0, 0] > 0 > starts[1, 0]


def test_rows_that_determine_no_axis_are_refused() -> None:
    with pytest.raises(InvalidInput, match="concentration is infinite"):
        Watson(3).fit(torch.eye(3).double())
    tetrahedron = vector(1, 1, 1, 1, -1, -1, -1, 1, -1, -1, -1, 1).reshape(4, 3) / math.sqrt(3)
    with pytest.raises(InvalidInput, match="axis is not identified"):
        Watson(3).fit(tetrahedron)


def test_an_axis_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput, match="mu must have unit length: got 2"):
        Watson(2).model(vector(1.0, 2.0, 0.0))
