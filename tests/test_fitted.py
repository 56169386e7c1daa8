"""A fitted score in the units and the form of its data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

import scorematching as sm
from fits import SMALL, UNTRAINED, gaussian_rows, merged, quick, untrained
from scorematching import batched
from scorematching.configuration import overridden
from scorematching.data import as_dataset
from scorematching.densities import GaussianMixture
from scorematching.errors import Diverged, InvalidInput
from scorematching.fitted import FittedScore
from scorematching.nets import GaussianBase

Array = NDArray[np.float64]


def changed(fitted: FittedScore, **sections: Any) -> FittedScore:
    configuration = overridden(fitted.configuration, sections, "the test")
    return dataclasses.replace(fitted, configuration=configuration)


# ------------------------------------------------------------------------------- closed forms


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
    with pytest.raises(InvalidInput, match=r"1\.275 to 2550: got 0\.5"):
        fitted.denoise(noisy, 0.5)


def test_the_log_density_of_pictures_counts_the_scale_of_every_pixel() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(300, 4, 4), dtype=np.uint8)
    settings = {"n_steps": 48, "exact_up_to": 64}
    fitted = changed(quick(images, 1, UNTRAINED), likelihood=settings)
    flat = images.reshape(300, -1).astype(float)
    covariance = np.cov(flat.T, ddof=0) + (0.01 * 127.5) ** 2 * np.eye(16)
    truth = stats.multivariate_normal(flat.mean(0), covariance).logpdf(flat[:5])
    np.testing.assert_allclose(fitted.log_density(images[:5]), truth, rtol=0, atol=2e-2)


# ------------------------------------------------------------------------------- rows and samples


def test_more_samples_begin_with_the_fewer_and_seeds_differ() -> None:
    fitted = quick(gaussian_rows(60, 2), 5)
    many = fitted.sample(500)
    np.testing.assert_allclose(fitted.sample(10), many[:10], rtol=1e-5)
    assert np.array_equal(fitted.sample(500), many)
    assert not np.allclose(fitted.sample(10, seed=1), many[:10])


def test_samples_with_labels_begin_with_the_fewer_and_are_as_frequent() -> None:
    data = pd.DataFrame({"u": gaussian_rows(90, 1)[:, 0], "kind": ["a", "b", "b"] * 30})
    fitted = quick(data, 5, label="kind")
    many = fitted.sample(3000)
    pd.testing.assert_frame_equal(fitted.sample(10), many[:10], rtol=1e-5)
    share = (many["kind"] == "b").mean()
    assert abs(share - 2 / 3) < 4 * math.sqrt(2 / 9 / 3000)
    assert fitted.sample(3, labels=["a", "b", "a"])["kind"].tolist() == ["a", "b", "a"]


def test_a_rows_log_density_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    x = gaussian_rows(60, 2)
    fitted = quick(x, 5)
    whole = fitted.log_density(x)
    for rows in (slice(0, 1), slice(7, 31)):
        np.testing.assert_allclose(fitted.log_density(x[rows]), whole[rows], rtol=0, atol=1e-4)
    monkeypatch.setattr(batched, "BATCH", 7)
    np.testing.assert_allclose(fitted.log_density(x), whole, rtol=0, atol=1e-4)
    probed = changed(fitted, likelihood={"exact_up_to": 0, "n_probes": 2})
    np.testing.assert_allclose(
        probed.log_density(x[7:9]), probed.log_density(x)[7:9], rtol=0, atol=1e-4
    )


def test_errors_of_the_log_density_are_reported() -> None:
    x = gaussian_rows(60, 3)
    fitted = quick(x, 5)
    result = fitted.flow_log_density(x, step_doubling=True)
    assert np.array_equal(result.value.numpy(), fitted.log_density(x))
    assert result.step_error is not None
    assert float(result.step_error.max()) < 1
    assert result.n_evaluations == 6 * fitted.configuration.likelihood.n_steps


def test_a_tensor_is_answered_by_a_tensor_and_all_else_by_an_array() -> None:
    x = gaussian_rows(60, 2)
    fitted = quick(x)
    for given, kind in (
        (torch.from_numpy(x[:3]), Tensor),
        (torch.from_numpy(x[:3]).float(), Tensor),
        (x[:3], np.ndarray),
        (x[:3].tolist(), np.ndarray),
        (as_dataset(x[:3]), np.ndarray),
    ):
        for value in (fitted.log_density(given), fitted.score(given), fitted.denoise(given, 1.0)):
            assert isinstance(value, kind)
            assert str(value.dtype).endswith("float64")


def test_nothing_that_is_given_is_changed() -> None:
    x = gaussian_rows(60, 2)
    kept = x.copy()
    x.flags.writeable = False
    fitted = quick(x)
    rows = torch.from_numpy(kept.copy())
    fitted.score(rows)
    fitted.log_density(x)
    fitted.denoise(x, 1.0)
    assert not rows.requires_grad
    assert np.array_equal(x, kept)


def test_neither_the_random_state_nor_gradients_are_touched() -> None:
    fitted = quick(gaussian_rows(60, 2))
    before = torch.random.get_rng_state()
    with torch.no_grad():
        value = fitted.score(torch.from_numpy(gaussian_rows(3, 2)))
    fitted.sample(3)
    fitted.log_density(gaussian_rows(3, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not value.requires_grad
    assert all(p.grad is None for p in fitted.denoiser.parameters())


def test_rows_outside_the_bounds_are_refused() -> None:
    fitted = untrained(frame(np.exp(gaussian_rows(60, 1)[:, 0])), positive=["v"])
    for rows in (frame(np.array([1.0, -2.0])), np.array([[1.0], [-2.0]])):
        with pytest.raises(InvalidInput, match="-2"):
            fitted.log_density(rows)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3"])
def test_a_number_of_samples_is_a_positive_integer(n: Any) -> None:
    with pytest.raises(InvalidInput, match="n must be an integer of at least 1"):
        quick(gaussian_rows(30, 2)).sample(n)


class Blowing(nn.Module):
    """Not a number for the rows whose first coordinate is on the right at low noise."""

    def __init__(self, everywhere: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))
        self.everywhere = everywhere

    def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
        right = (x[:, 0] > 0.5) & (log_sigma < 0) | self.everywhere
        if self.training or len(x) == 2:
            return self.scale * x
        return self.scale * x + torch.where(right, torch.nan, 0.0)[:, None]


def test_rows_that_diverge_are_left_out_with_a_warning_that_counts_them() -> None:
    x = gaussian_rows(60, 2)
    settings = merged(UNTRAINED, {})
    fitted = sm.fit(x, net=Blowing(False), configuration=settings, max_steps=1, quiet=True)
    with pytest.warns(RuntimeWarning, match="of 200 samples became non-finite") as caught:
        samples = fitted.sample(200)
    assert caught[0].filename == __file__
    assert 50 < len(samples) < 190
    assert np.isfinite(samples).all()
    fitted = sm.fit(x, net=Blowing(True), configuration=settings, max_steps=1, quiet=True)
    with pytest.raises(Diverged, match="all 20"):
        fitted.sample(20)


def test_the_description_gives_reasons_and_all_settings() -> None:
    fitted = quick(gaussian_rows(60, 2), 3)
    text = fitted.describe()
    assert "net.width: 32: as given" in text
    assert fitted.configuration.model_dump_json() in text
    assert SMALL["net"] == {"width": 32, "n_blocks": 1}


def test_the_levels_of_the_process_are_those_of_the_configuration() -> None:
    fitted = quick(gaussian_rows(60, 2), settings={"noise": {"sigma_max": 25.0}})
    assert (fitted.process.sigma_min, fitted.process.sigma_max) == (0.01, 25.0)
