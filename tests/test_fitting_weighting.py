"""Settings of a fit that say how noise levels are weighted, and in what precision it trains."""

from __future__ import annotations

import math

import pytest
import torch

from fits import SMALL, gaussian_rows, merged, quick, weights
from scorematching.data import from_array
from scorematching.defaults import settled
from scorematching.errors import InvalidInput
from scorematching.fitting import loss_of
from scorematching.nets import GaussianBase, PreconditionedDenoiser, ResidualMLP
from scorematching.noise import EDM
from scorematching.random import forked, normal, seeded
from scorematching.settling import training_settings
from scorematching.training import Precision

X = gaussian_rows(300, 3)
LIKELIHOOD = {"noise": {"weighting": "likelihood"}}


def test_likelihood_weighting_is_the_integrand_of_the_bound() -> None:
    """E loss = E_{t uniform} g² ½‖s_θ + z/σ‖²/d; of the denoiser 0 it is, with t = σ on [a, b],
    ∫ 2t ½ (E‖x‖²)/t⁴ dt / (d (b − a)): s_θ + z/σ = −x̃/σ² + z/σ = −x/σ²."""
    settings = settled(from_array(X), None, LIKELIHOOD, 1).configuration
    loss = loss_of(settings)
    x = normal((20_000, 2), torch.zeros((), dtype=torch.float64), seeded("x")) * 1.5
    with forked("net"):
        net = ResidualMLP(2, 8, 1, 0.0).double()
    tiny = torch.full((2,), 1e-12, dtype=torch.float64)
    base = GaussianBase(0 * tiny, torch.eye(2).double(), tiny, tiny[0])
    rows = loss(PreconditionedDenoiser(net, base).eval(), (x,), seeded("loss"))
    process = EDM(settings.noise.sigma_min, settings.noise.sigma_max)
    a, b = process.t_min, process.t_max
    expected = x.square().sum(1).mean() * (a**-2 - b**-2) / 2 / (2 * (b - a))
    assert abs(rows.mean() - expected) < 4 * rows.std() / math.sqrt(len(x))


def test_a_fit_by_likelihood_weighting_trains_and_is_another() -> None:
    plain, weighted = quick(X, 5), quick(X, 5, LIKELIHOOD)
    assert weighted.configuration.noise.weighting == "likelihood"
    assert weighted.reasons["noise.weighting"] == "likelihood: as given"
    assert not torch.equal(weights(plain), weights(weighted))


def test_settings_of_the_other_weighting_have_no_effect_and_are_refused() -> None:
    settings = merged(LIKELIHOOD, {"noise": {"log_mean": 0.0}})
    with pytest.raises(InvalidInput, match=r"noise.log_mean have no effect .* 'likelihood'"):
        settled(from_array(X), None, settings, 1)
    with pytest.raises(InvalidInput, match=r"noise.weighting: .*'unit' or 'likelihood'"):
        settled(from_array(X), None, {"noise": {"weighting": "edm"}}, 1)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_fit_in_16_bits_is_near_the_one_in_full(precision: str) -> None:
    settings = {"training": {"precision": precision}}
    half, full = quick(X, 40, settings), quick(X, 40)
    assert not torch.equal(weights(half), weights(full))
    assert weights(half).dtype == torch.float64  # of float32 ones
    assert next(half.denoiser.net.parameters()).dtype == torch.float32
    gap = (half.log_density(X) - full.log_density(X)).__abs__().mean()
    assert gap < 0.05
    assert half.reasons["training.precision"] == f"{precision}: as given"


def test_a_precision_that_is_not_known_is_refused() -> None:
    configuration = settled(from_array(X), None, merged(SMALL, {}), 1).configuration
    assert training_settings(configuration, 0, None).precision is Precision.FULL
    with pytest.raises(
        InvalidInput, match=r"training.precision: .*'full', 'bfloat16' or 'float16'"
    ):
        settled(from_array(X), None, {"training": {"precision": "half"}}, 1)
