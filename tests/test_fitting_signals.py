"""Signals ``(n, channels, length)``: their network, and a process whose score is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from scorematching.configuration import UNetSettings
from scorematching.data import from_array
from scorematching.defaults import choose
from scorematching.denoising import DenoisingLoss
from scorematching.errors import InvalidInput
from scorematching.fitted import load
from scorematching.fitting import fit
from scorematching.nets import GaussianBase, PreconditionedDenoiser, UNet
from scorematching.noise import EDM
from scorematching.objectives import LogNormalTimes
from scorematching.random import forked, normal, seeded
from scorematching.training import TrainingSettings, train

RHO, LENGTH = 0.9, 16
LIKE = torch.zeros(())


def covariance() -> Tensor:
    """Of a stationary autoregression of unit variance: ρ^|i − j|."""
    places = torch.arange(LENGTH)
    return RHO ** (places[:, None] - places).abs().double()


def autoregressive(n: int, name: str) -> Tensor:
    """x₀ ~ N(0, 1), x_t = ρ x_{t−1} + √(1 − ρ²) ε: ``(n, 1, length)``."""
    steps = normal((n, LENGTH), LIKE, seeded(name))
    rows = [steps[:, 0]]
    for t in range(1, LENGTH):
        rows.append(RHO * rows[-1] + (1 - RHO**2) ** 0.5 * steps[:, t])
    return torch.stack(rows, 1)[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("attention", [True, False])
def test_the_network_alone_learns_the_score_of_an_autoregression(attention: bool) -> None:
    """On a base that knows of no correlation: at most a tenth of the base's error is left.

    s(x, σ) = −(C + σ²I)⁻¹ x; E‖s_θ − s‖² on new rows against E‖s_base − s‖².
    """
    flat = GaussianBase(torch.zeros(1, LENGTH), torch.eye(LENGTH), torch.ones(LENGTH), LIKE + 1)
    with forked("signals"):
        net = UNet(2, 1, (16, 32), 0.0, rank=1, attention=attention)
    denoiser = PreconditionedDenoiser(net, flat, feed_base=True)
    loss = DenoisingLoss(EDM(0.01, 20.0), LogNormalTimes())
    settings = TrainingSettings(200, batch_size=64, warmup_steps=20, average_half_life=50.0)
    for _ in train(denoiser, loss, (autoregressive(4000, "rows"),), settings):
        pass
    new = autoregressive(500, "new rows")
    for sigma in (0.3, 1.0):
        y = new + sigma * normal(tuple(new.shape), LIKE, seeded("noise", str(sigma)))
        precision = torch.linalg.inv(covariance() + sigma**2 * torch.eye(LENGTH).double())
        truth = -(y[:, 0] @ precision.float())[:, None]
        with torch.no_grad():
            found, alone = (
                (each(y, torch.tensor(sigma)) - y) / sigma**2 for each in (denoiser, flat)
            )
        left, before = ((each - truth).square().sum() for each in (found, alone))
        assert left < before / 10


def test_without_training_the_score_is_that_of_the_gaussian_process() -> None:
    """Of the sample covariance S, in the units of the data: −(S + σ²I)⁻¹ (x − mean)."""
    x = 5 * autoregressive(400, "few rows").double().numpy() + 2
    still = {"training": {"learning_rate": 1e-30, "batch_size": 16}, "net": {"channels": [8]}}
    fitted = fit(x, configuration=still, max_steps=1, quiet=True)
    assert isinstance(fitted.configuration.net, UNetSettings)
    flat = x[:, 0]
    noisy = np.cov(flat.T, ddof=0) + 2.0**2 * np.eye(LENGTH)
    expected = -np.linalg.solve(noisy, (flat[:5] - flat.mean(0)).T).T
    np.testing.assert_allclose(fitted.score(x[:5], 2.0)[:, 0], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "signals"),
    [((1, 16), True), ((3, 64), True), ((1, 15), False), ((8, 16), False), ((16,), False)],
)
def test_which_rows_are_taken_for_signals(shape: tuple[int, ...], signals: bool) -> None:
    x = np.random.default_rng(0).normal(size=(40, *shape))
    chosen = choose(from_array(x))
    assert (chosen.configuration.net.type == "UNet") == signals
    words = "signals" if signals else "residual MLP"
    assert words in chosen.reasons["net"]


@pytest.mark.parametrize("length", [16, 64, 100, 1000, 4000])
def test_the_coarsest_resolution_has_some_ten_to_a_hundred_positions(length: int) -> None:
    x = np.random.default_rng(0).normal(size=(4, 1, length))
    net = choose(from_array(x)).configuration.net
    assert isinstance(net, UNetSettings)
    coarsest = length / 2 ** (len(net.channels) - 1)
    assert 8 <= coarsest <= 130


def test_signals_are_fitted_saved_and_given_back(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(30, 2, 21)).astype(np.float32)
    settings = {
        "net": {"channels": [8, 8], "attention": False},
        "likelihood": {"n_steps": 2, "n_probes": 2},
        "training": {"batch_size": 16},
    }
    options = {"configuration": settings, "condition": np.arange(30), "quiet": True}
    fitted = fit(x, max_steps=3, **options)
    drawn = fitted.sample(4)
    assert drawn.shape == (4, 2, 21)
    assert drawn.dtype == np.float32
    fitted.save(tmp_path)
    assert np.array_equal(load(tmp_path).sample(4), drawn)
    (form,) = (tmp_path / "model").glob("model*/model.json")
    assert json.loads(form.read_text())["configuration"]["net"]["attention"] is False
    found = fitted.log_density(x[:3], condition=5.0)
    assert np.isfinite(found).all()
    one = fitted.log_density(x[:1], condition=5.0)
    np.testing.assert_allclose(found[:1], one, rtol=1e-4)


def test_a_u_net_is_for_positions_on_one_axis_or_two() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    with pytest.raises(InvalidInput, match=r"images of shape \(C, H, W\) or signals of shape"):
        fit(x, configuration={"net": {"type": "UNet", "channels": [8]}}, max_steps=1, quiet=True)
