from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from families import quadrature
from families.cases import SPHERE3, vector
from families.matching import rows_of
from families.moments import assert_moments, z_scores
from scorematching.errors import InvalidInput
from scorematching.families import VonMises, VonMisesFisher, VonMisesFisherDensity
from scorematching.random import seeded


def axis(d: int, kappa: float) -> VonMisesFisherDensity:
    return VonMisesFisherDensity(kappa * torch.linspace(1, 2, d).double() / math.sqrt(d))


@pytest.mark.parametrize("theta", [vector(0, 0, 0), vector(1.5, -2.0, 0.7), vector(0, 30.0, 5.0)])
def test_in_three_dimensions_mass_and_moments_are_those_of_quadrature(theta: torch.Tensor) -> None:
    model = VonMisesFisherDensity(theta)

    def moments(x: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([torch.ones(len(x), 1).double(), x], dim=1)
        return model.log_density(x).exp()[:, None, None] * rows[:, :, None] * rows[:, None, :]

    found = quadrature.on_sphere(moments)
    assert found[0, 0].item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(found[0, 1:], model.mean, atol=1e-12, rtol=0)
    second = model.covariance + torch.outer(model.mean, model.mean)
    torch.testing.assert_close(found[1:, 1:], second, atol=1e-12, rtol=0)


def test_in_three_dimensions_the_constant_is_elementary() -> None:
    kappa = axis(3, 2.0).kappa
    expected = math.log(4 * math.pi * math.sinh(kappa) / kappa)
    assert axis(3, 2.0).log_normaliser == pytest.approx(expected, rel=1e-12)


def test_in_two_dimensions_it_is_the_von_mises_density() -> None:
    angle = vector(0.1, 2.0, -3.0)
    x = torch.stack([angle.cos(), angle.sin()], dim=1)
    theta = vector(-1.5, 0.8)
    torch.testing.assert_close(
        VonMisesFisher(2).model(theta).log_density(x), VonMises().model(theta).log_density(angle)
    )


@pytest.mark.parametrize(("d", "kappa"), [(2, 0.5), (3, 4.0), (5, 60.0), (200, 30.0)])
def test_draws_have_the_moments(d: int, kappa: float, generator: torch.Generator) -> None:
    model = axis(d, kappa)
    x = model.sample(20_000, generator)
    mu = model.mean_direction
    t = x @ mu
    along = mu @ model.covariance @ mu
    assert_moments(t[:, None], (model.mean @ mu)[None], along[None, None])
    across = x - t[:, None] * mu
    limit = 5.0 if d > 10 else 4.5  # the largest of d deviations
    assert z_scores(across @ torch.linalg.svd(mu[None])[2][1:].mT).abs().max() < limit
    torch.testing.assert_close(x.norm(dim=1), torch.ones(len(x)).double())


def test_the_uniform_distribution_is_drawn_from_at_zero(generator: torch.Generator) -> None:
    model = VonMisesFisherDensity(torch.zeros(4, dtype=torch.float64))
    assert_moments(model.sample(20_000, generator), torch.zeros(4), torch.eye(4).double() / 4)
    assert model.log_density(torch.eye(4).double()[:1]).item() == pytest.approx(
        -math.log(2 * math.pi**2)
    )


def test_the_joint_estimate_has_mean_zero_gradient_at_the_truth(generator: torch.Generator) -> None:
    model = axis(3, 3.0)
    rows = rows_of(VonMisesFisher(3), model.sample(8_000, generator))
    assert ((rows.solve() - model.theta) / rows.standard_errors()).abs().max() < 4


def test_direction_first_gives_the_mean_direction_and_the_profile_of_kappa() -> None:
    fit = VonMisesFisher(3, direction_first=True).fit(SPHERE3)
    assert fit is not None
    mu = SPHERE3.mean(0) / SPHERE3.mean(0).norm()
    kappa = fit.theta.norm()
    torch.testing.assert_close(fit.theta, kappa * mu)
    rows = rows_of(VonMisesFisher(3), SPHERE3)  # ½κ²μᵀAμ + κbᵀμ is least there
    best = -(rows.b.mean(0) @ mu) / (mu @ rows.a.mean(0) @ mu)
    torch.testing.assert_close(kappa, best)
    assert f"kappa = {kappa.item():.6g}" in fit.note
    torch.testing.assert_close(fit.influence.mean(0), torch.zeros(3).double(), atol=1e-14, rtol=0)


def test_direction_first_standard_errors_are_those_of_replications() -> None:
    model = axis(3, 3.0)
    family = VonMisesFisher(3, direction_first=True)
    fits = [family.fit(model.sample(400, seeded("direction first", k))) for k in range(400)]
    theta = torch.stack([fit.theta for fit in fits if fit is not None])
    claimed = [fit.influence.square().mean(0).sqrt() / 20 for fit in fits if fit is not None]
    ratio = torch.stack(claimed).mean(0) / theta.std(0)
    # a standard deviation of 400 replications is known to 1/√800 = 3.5%
    assert (ratio - 1).abs().max() < 0.12
    assert ((theta.mean(0) - model.theta) / theta.std(0)).abs().max() < 0.25


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double(), "has no direction"),
        (torch.tensor([[1.0, 0.0], [1.0, 0.0]]).double(), "all rows are the same direction"),
    ],
)
def test_rows_without_a_direction_or_a_spread_are_refused(x: torch.Tensor, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        VonMisesFisher(2, direction_first=True).fit(x)


def test_estimates_agree_with_scorematchingad(shared: Path) -> None:
    text = (shared / "reference/expected.json").read_text()
    expected = json.loads(text)["von_mises_fisher_s2"]
    file = shared / "reference" / expected["file"]
    x = torch.from_numpy(np.loadtxt(file, delimiter=",", skiprows=1))
    to_n_minus_1 = math.sqrt(len(x) / (len(x) - 1))
    rows = rows_of(VonMisesFisher(3), x)
    assert rows.solve().tolist() == pytest.approx(expected["theta"], rel=1e-6)
    errors = rows.standard_errors() * to_n_minus_1
    assert errors.tolist() == pytest.approx(expected["se"], rel=1e-6)
    fit = VonMisesFisher(3, direction_first=True).fit(x)
    assert fit is not None
    first = expected["concentration_only"]
    model = VonMisesFisher(3).model(fit.theta)
    assert model.kappa == pytest.approx(first["kappa"], rel=1e-6)
    assert model.mean_direction.tolist() == pytest.approx(first["mean_direction"], rel=1e-6)
    spread = (fit.influence @ model.mean_direction).std().item()
    assert spread / math.sqrt(len(x)) == pytest.approx(first["se"], rel=1e-6)
    assert f"standard error {first['se']:.6g}" in fit.note
