"""Samples, log-densities and clean rows of a Gaussian denoiser, whose laws are known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scorematching import batched
from scorematching.calculus import Exact
from scorematching.configuration import (
    Configuration,
    LikelihoodSettings,
    MLPSettings,
    NoiseSettings,
    SampleSettings,
)
from scorematching.densities import gaussian
from scorematching.errors import Diverged
from scorematching.likelihood import FixedProbes
from scorematching.nets import GaussianBase, PreconditionedDenoiser
from scorematching.noise import EDM
from scorematching.random import normal, seeded

F64 = torch.float64
MEAN = torch.tensor([2.0, -1.0], dtype=F64)
COVARIANCE = torch.tensor([[1.2, 0.5], [0.5, 0.7]], dtype=F64)


class Nothing(nn.Module):
    """F = 0; not a number for rows of class 1, and 10 for rows of class 2."""

    def forward(self, x: Tensor, log_sigma: Tensor, classes: Tensor | None = None) -> Tensor:
        out = torch.zeros_like(x)
        if classes is not None:
            out[classes == 1] = float("nan")
            out[classes == 2] = 10.0
        return out


def denoiser() -> PreconditionedDenoiser:
    eigenvalues, vectors = torch.linalg.eigh(COVARIANCE)
    base = GaussianBase(MEAN, vectors, eigenvalues, torch.ones((), dtype=F64))
    return PreconditionedDenoiser(Nothing(), base).eval()


def configuration(**sections: Any) -> Configuration:
    return Configuration(net=MLPSettings(), noise=NoiseSettings(), **sections)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched, "BATCH", 128)


@pytest.mark.parametrize("stochastic", [True, False])
def test_samples_have_the_mean_and_covariance_of_the_model(stochastic: bool) -> None:
    """4 standard errors of 20,000 rows, and 2% for the 40 evaluations of the sampler."""
    settings = SampleSettings(
        n_evaluations=40, sigma_min=0.01, sigma_max=20.0, stochastic=stochastic
    )
    n = 20_000
    rows, lost = batched.samples(denoiser(), configuration(sampling=settings), n, 0, ())
    assert not bool(lost.any())
    spread = COVARIANCE.diagonal().sqrt()
    assert bool(((rows.mean(0) - MEAN).abs() < 4 * spread / n**0.5).all())
    bound = 4 * torch.outer(spread, spread) * (2 / n) ** 0.5 + 0.02 * COVARIANCE.abs()
    assert bool(((torch.cov(rows.T) - COVARIANCE).abs() < bound).all())
    # The third moment of a Gaussian vanishes: standard error √(15/n) of standardised rows.
    z = (rows - MEAN) / spread
    assert bool((z.pow(3).mean(0).abs() < 4 * (15 / n) ** 0.5).all())


def test_evaluations_are_counted_with_the_final_denoising() -> None:
    calls: list[int] = []

    class Counter(nn.Module):
        def forward(self, x: Tensor, log_sigma: Tensor) -> Tensor:
            calls.append(len(x))
            return torch.zeros_like(x)

    for stochastic in (True, False):
        calls.clear()
        counting = PreconditionedDenoiser(Counter(), denoiser().base)
        settings = SampleSettings(n_evaluations=7, stochastic=stochastic)
        batched.samples(counting, configuration(sampling=settings), 5, 0, ())
        assert calls == [5] * 7


def test_a_row_does_not_depend_on_how_many_are_drawn_or_fit_into_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many, _ = batched.samples(denoiser(), configuration(), 300, 4, ())
    few, _ = batched.samples(denoiser(), configuration(), 10, 4, ())
    torch.testing.assert_close(few, many[:10])
    monkeypatch.setattr(batched, "BATCH", 64)
    pieces, _ = batched.samples(denoiser(), configuration(), 300, 4, ())
    torch.testing.assert_close(pieces, many)
    other, _ = batched.samples(denoiser(), configuration(), 300, 5, ())
    assert not torch.allclose(other, many)


@pytest.mark.usefixtures("small_batches")
def test_rows_that_diverge_are_marked_though_a_whole_batch_does() -> None:
    classes = torch.zeros(300, dtype=torch.int64)
    classes[3] = 1
    classes[128:256] = 1
    rows, lost = batched.samples(denoiser(), configuration(), 300, 0, (classes,))
    assert torch.equal(lost, classes == 1)
    assert rows.shape == (300, 2)
    assert bool(rows.isfinite().all())
    with pytest.raises(Diverged, match="all"):
        batched.samples(denoiser(), configuration(), 300, 0, (torch.ones_like(classes),))


@pytest.mark.usefixtures("small_batches")
def test_classes_go_with_their_rows() -> None:
    classes = 2 * (torch.arange(300) % 2)
    rows, _ = batched.samples(denoiser(), configuration(), 300, 0, (classes,))
    plain, _ = batched.samples(denoiser(), configuration(), 300, 0, ())
    moved = (rows - plain).norm(dim=1) > 1
    assert torch.equal(moved, classes == 2)
    clean = batched.denoised(denoiser(), plain, 0.5, (classes,))
    assert torch.equal((clean - plain).norm(dim=1) > 2, classes == 2)
    value = batched.log_densities(
        denoiser(), configuration(), plain[:40], (classes[:40],), step_doubling=False
    ).value
    truth = gaussian(MEAN, COVARIANCE).log_density(plain[:40])
    assert torch.equal((value - truth).abs() > 0.5, classes[:40] == 2)


@pytest.mark.usefixtures("small_batches")
def test_log_densities_are_those_of_the_gaussian_blurred_by_the_lowest_level() -> None:
    x = 3 * normal((300, 2), MEAN, seeded("x"))
    blurred = gaussian(MEAN, COVARIANCE + 0.01**2 * torch.eye(2, dtype=F64))
    result = batched.log_densities(denoiser(), configuration(), x, (), step_doubling=True)
    torch.testing.assert_close(result.value, blurred.log_density(x), rtol=0, atol=5e-3)
    assert result.step_error is not None
    assert result.step_error.shape == (300,)
    assert result.probe_error is None
    fine = configuration(likelihood=LikelihoodSettings(n_steps=192))
    result = batched.log_densities(denoiser(), fine, x, (), step_doubling=False)
    torch.testing.assert_close(result.value, blurred.log_density(x), rtol=0, atol=2e-6)
    assert result.step_error is None


def test_above_a_number_of_coordinates_the_trace_is_by_probes() -> None:
    settings = LikelihoodSettings(exact_up_to=1, n_probes=5)
    assert batched.trace_of(settings, 1) == Exact()
    assert batched.trace_of(settings, 2) == FixedProbes(5)
    x = normal((20, 2), MEAN, seeded("x"))
    exact = batched.log_densities(denoiser(), configuration(), x, (), step_doubling=False)
    probed = batched.log_densities(
        denoiser(),
        configuration(likelihood=LikelihoodSettings(exact_up_to=1, n_probes=16)),
        x,
        (),
        step_doubling=False,
    )
    assert probed.probe_error is not None
    gap = (probed.value - exact.value).abs()
    assert bool((gap < 5 * probed.probe_error + 1e-9).all())


@pytest.mark.usefixtures("small_batches")
def test_clean_rows_are_the_conditional_means() -> None:
    x = 3 * normal((300, 2), MEAN, seeded("x"))
    expected = gaussian(MEAN, COVARIANCE).denoise(x, 0.8)
    torch.testing.assert_close(batched.denoised(denoiser(), x, 0.8, ()), expected)
    single = batched.denoised(denoiser().float(), x, 0.8, ())
    assert single.dtype == F64
    torch.testing.assert_close(single, expected, rtol=1e-5, atol=1e-5)


def test_the_process_runs_over_the_levels_of_the_configuration() -> None:
    noise = NoiseSettings(sigma_min=0.03, sigma_max=15.0)
    assert batched.process_of(Configuration(net=MLPSettings(), noise=noise)) == EDM(0.03, 15.0)
