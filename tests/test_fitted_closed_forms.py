"""Densities, scores and clean rows in the units of the data, where they are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

import scorematching as sm
from fits import UNTRAINED, changed, gaussian_rows, quick, untrained
from scorematching.densities import GaussianMixture
from scorematching.errors import InvalidInput
from scorematching.nets import GaussianBase

Array = NDArray[np.float64]


def test_on_the_line_all_of_it_is_that_of_the_noised_gaussian() -> None:
    """sigma is in the units of the data: p_σ = N(mean, variance + σ²), by an untrained model."""
    x = np.random.default_rng(0).normal(30.0, 4.0, size=500)
    fitted = untrained(x)
    grid = np.array([20.0, 30.0, 37.5])
    low = 0.01 * x.std()
    truth = stats.norm(x.mean(), math.hypot(x.std(), low))
    np.testing.assert_allclose(fitted.log_density(grid), truth.logpdf(grid), rtol=0, atol=1e-4)
    for sigma in (None, 0.5, 20.0):
        variance = x.var() + (low if sigma is None else sigma) ** 2
        np.testing.assert_allclose(
            fitted.score(grid, sigma), (x.mean() - grid) / variance, rtol=2e-3, atol=1e-4
        )
    shrunk = x.mean() + x.var() / (x.var() + 9.0) * (grid - x.mean())
    np.testing.assert_allclose(fitted.denoise(grid, 3.0), shrunk, rtol=1e-5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_score_is_the_same_where_gradients_are_off(mode: Callable[[], Any]) -> None:
    x = np.random.default_rng(0).gamma(2.0, size=(60, 2))
    fitted = untrained(x)
    expected = fitted.score(x[:5])
    with mode():
        np.testing.assert_array_equal(fitted.score(x[:5]), expected)
        np.testing.assert_array_equal(fitted.score(torch.from_numpy(x[:5])), expected)


def test_denoising_follows_tweedies_formula() -> None:
    """E[x₀ | x] = x + σ² ∇ log p_σ(x), in the units of the data, of a trained model."""
    x = 50 * np.random.default_rng(0).gamma(2.0, size=(80, 2, 2))
    fitted = quick(x, 30)
    for sigma in (5.0, 60.0):
        np.testing.assert_allclose(
            fitted.denoise(x[:9], sigma), x[:9] + sigma**2 * fitted.score(x[:9], sigma), rtol=1e-6
        )


def test_in_columns_the_score_is_of_rows_noised_by_a_share_of_their_own_spread() -> None:
    """sigma in whitened units: p_σ = N(mean, S (1 + σ²)), whatever the units of the columns."""
    x = gaussian_rows(300, 3) * np.array([1e-6, 1.0, 1e6])
    fitted = untrained(x)
    for sigma in (0.1, 2.0):
        precision = np.linalg.inv(np.cov(x.T, ddof=0)) / (1 + sigma**2)
        expected = -(x[:5] - x.mean(0)) @ precision
        np.testing.assert_allclose(fitted.score(x[:5], sigma), expected, rtol=1e-3, atol=0)


class MixtureNet(nn.Module):
    """The F with which the denoiser is that of a mixture of two normals; zero until told which."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))
        self.truth: tuple[GaussianBase, GaussianMixture] | None = None

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        if self.truth is None:
            return self.unused * x
        base, mixture = self.truth
        sigma = log_sigma.exp()
        y = base.mean + x * base.noised_scale(sigma)
        exact = mixture.denoise(y[:, None], sigma)[:, 0]
        return (exact - base(y, sigma)) / base.residual_scale(sigma)


def mixture(centre: float, scale: float, blur: float) -> GaussianMixture:
    """0.3 N(10, 1) + 0.7 N(16, 4), in units y = (x − centre)/scale, with blur² added."""
    return GaussianMixture(
        torch.tensor([0.3, 0.7], dtype=torch.float64),
        torch.tensor([[(10 - centre) / scale], [(16 - centre) / scale]], dtype=torch.float64),
        torch.tensor([[[1 / scale**2 + blur**2]], [[4 / scale**2 + blur**2]]], dtype=torch.float64),
    )


def test_with_the_exact_network_all_of_it_is_that_of_the_mixture() -> None:
    """Density, score and clean rows in the units of the data, through preprocessing and base.

    At the highest level, 20 spreads, the mixture is not quite Gaussian: 2e-4 nats.
    """
    # Quantiles have the moments of the law, so that the Gaussian at the highest level is right.
    u = (np.arange(20_000) + 0.5) / 20_000
    x = np.r_[stats.norm.ppf(u[:6000] / 0.3, 10, 1), stats.norm.ppf((u[6000:] - 0.3) / 0.7, 16, 2)]
    net = MixtureNet().double()
    fitted = sm.fit(x, net=net, configuration=UNTRAINED, max_steps=1, quiet=True)
    fitted = changed(fitted, likelihood={"n_steps": 192})
    net.truth = fitted.denoiser.base, mixture(x.mean(), x.std(), 0.0)
    grid = torch.linspace(6, 23, 18, dtype=torch.float64)
    lowest = 0.01 * x.std()
    truth = mixture(0.0, 1.0, lowest)
    torch.testing.assert_close(
        fitted.log_density(grid), truth.log_density(grid[:, None]), rtol=0, atol=5e-4
    )
    for sigma, blur in ((None, lowest), (1.5, 1.5)):
        blurred = mixture(0.0, 1.0, blur)
        score = blurred.score(grid[:, None])[:, 0]
        torch.testing.assert_close(fitted.score(grid, sigma), score, rtol=1e-8, atol=1e-8)
    clean = mixture(0.0, 1.0, 0.0).denoise(grid[:, None], 1.5)[:, 0]
    torch.testing.assert_close(fitted.denoise(grid, 1.5), clean)
    step = 1e-3
    slope = (fitted.log_density(grid + step) - fitted.log_density(grid - step)) / (2 * step)
    torch.testing.assert_close(fitted.score(grid), slope, rtol=0, atol=1e-3)
    samples = fitted.sample(4000)
    assert abs((samples < 12.5).mean() - 0.3) < 4 * math.sqrt(0.21 / 4000) + 0.02
    law = stats.kstest(
        samples, lambda v: 0.3 * stats.norm.cdf(v, 10, 1) + 0.7 * stats.norm.cdf(v, 16, 2)
    )
    assert law.statistic < 0.03


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, None), (None, 2.0), (0.0, 1.0)], ids=["log", "minus log", "logit"]
)
def test_the_score_of_bounded_columns_is_the_slope_of_their_density(
    low: float | None, high: float | None
) -> None:
    """The Gaussian in log or logit units pulled back: finite differences of its log-density."""
    u = np.random.default_rng(3).normal(0.2, 0.8, size=300)
    column = {
        (0.0, None): np.exp(u),
        (None, 2.0): 2 - np.exp(u),
        (0.0, 1.0): 1 / (1 + np.exp(-u)),
    }[low, high]
    fitted = untrained(pd.DataFrame({"v": column}), bounds={"v": (low, high)})
    x = np.quantile(column, [0.1, 0.5, 0.9])
    step = 1e-3
    slope = (fitted.log_density(frame(x + step)) - fitted.log_density(frame(x - step))) / (2 * step)
    np.testing.assert_allclose(fitted.score(frame(x))[:, 0], slope, rtol=2e-2, atol=2e-2)


def frame(v: Array) -> pd.DataFrame:
    return pd.DataFrame({"v": v})


def test_pixels_are_denoised_in_their_own_units_and_layout() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(200, 6, 7), dtype=np.uint8)
    fitted = quick(images, 1, UNTRAINED)
    noisy = images[:4].astype(float) + 20.0
    flat = images.reshape(200, -1).astype(float)
    covariance, identity = np.cov(flat.T, ddof=0), np.eye(42)
    gain = covariance @ np.linalg.inv(covariance + 30.0**2 * identity)
    expected = flat.mean(0) + (noisy.reshape(4, -1) - flat.mean(0)) @ gain.T
    np.testing.assert_allclose(
        fitted.denoise(noisy, 30.0), expected.reshape(4, 6, 7), rtol=0, atol=1e-2
    )
    tensor = fitted.score(torch.from_numpy(noisy), 30.0)
    assert isinstance(tensor, Tensor)
    assert tensor.shape == (4, 6, 7)
    spread = np.sqrt(flat.var(0).mean())
    ends = rf"{0.01 * spread:g} to {20 * spread:g}: got 0\.5"
    with pytest.raises(InvalidInput, match=ends):
        fitted.denoise(noisy, 0.5)


def test_the_log_density_of_pictures_counts_the_scale_of_every_pixel() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(300, 4, 4), dtype=np.uint8)
    settings = {"n_steps": 48, "exact_up_to": 64}
    fitted = changed(quick(images, 1, UNTRAINED), likelihood=settings)
    flat = images.reshape(300, -1).astype(float)
    lowest = 0.01 * np.sqrt(flat.var(0).mean())
    covariance = np.cov(flat.T, ddof=0) + lowest**2 * np.eye(16)
    truth = stats.multivariate_normal(flat.mean(0), covariance).logpdf(flat[:5])
    np.testing.assert_allclose(fitted.log_density(images[:5]), truth, rtol=0, atol=2e-2)
