"""The Gaussian at the highest noise level: its density, its draws, its place on a process."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from samplers.closed_form import COVARIANCE, F64, MEAN
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VP
from scorematching.random import normal
from scorematching.samplers import NoisedGaussian, prior_sample

N = 40_000


def check_covariance(x: torch.Tensor, covariance: torch.Tensor) -> None:
    """Every entry within 4.5 standard errors, √((c_ii c_jj + c_ij²)/n)."""
    variances = covariance.diagonal()
    error = ((variances[:, None] * variances + covariance**2) / len(x)).sqrt()
    assert bool(((x.T.cov() - covariance).abs() < 4.5 * error).all())


def test_the_log_density_is_that_of_the_noised_gaussian(generator: torch.Generator) -> None:
    x = 3 * normal((20, 2), MEAN, generator)
    prior = NoisedGaussian(MEAN, COVARIANCE, 2.0)
    expected = MultivariateNormal(MEAN, COVARIANCE + 4 * torch.eye(2, dtype=F64)).log_prob(x)
    torch.testing.assert_close(prior.log_density(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("event", [(), (4,), (2, 2), (1, 2, 2), (2, 1, 2, 1)])
def test_no_covariance_means_the_identity_on_any_event(
    event: tuple[int, ...], generator: torch.Generator
) -> None:
    mean = normal(event, MEAN, generator)
    d = math.prod(event)
    x = 2 * normal((10, *event), mean, generator)
    short, long = NoisedGaussian(mean, None, 1.5), NoisedGaussian(mean, torch.eye(d), 1.5)
    torch.testing.assert_close(short.log_density(x), long.log_density(x), rtol=1e-12, atol=1e-12)
    assert short.sample(3, generator).shape == long.sample(3, generator).shape == (3, *event)


@pytest.mark.parametrize("covariance", [None, COVARIANCE])
def test_draws_have_the_mean_and_the_covariance(
    covariance: torch.Tensor | None, generator: torch.Generator
) -> None:
    x = NoisedGaussian(MEAN, covariance, 0.5).sample(N, generator)
    truth = torch.eye(2, dtype=F64) if covariance is None else covariance
    truth = truth + 0.25 * torch.eye(2, dtype=F64)
    assert bool(((x.mean(0) - MEAN).abs() < 4.5 * (truth.diagonal() / N).sqrt()).all())
    check_covariance(x, truth)


@pytest.mark.parametrize(("process", "level"), [(EDM(), 3.0), (VP(), None), (VP(), 3.0)])
def test_a_start_has_the_law_of_the_process_at_its_level(
    process: EDM | VP, level: float | None, generator: torch.Generator
) -> None:
    x = prior_sample(N, process, MEAN, COVARIANCE, noise_level=level, generator=generator)
    t = torch.tensor(process.t_max, dtype=F64)
    if level is not None:
        t = process.time_of(torch.tensor(level, dtype=F64))
    alpha, sigma = process.alpha(t), process.sigma(t)
    check_covariance(x, alpha**2 * COVARIANCE + sigma**2 * torch.eye(2, dtype=F64))
    error = (x.var(0) / N).sqrt()
    assert bool(((x.mean(0) - alpha * MEAN).abs() < 4.5 * error).all())


def test_the_dtype_follows_the_mean() -> None:
    assert prior_sample(3, EDM(), torch.zeros(2), COVARIANCE).dtype == torch.float32


def test_a_covariance_or_a_row_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"expected a covariance of shape \(2, 2\)"):
        NoisedGaussian(MEAN, torch.eye(3, dtype=F64), 1.0)
    with pytest.raises(InvalidInput, match="noise_level must be positive"):
        NoisedGaussian(MEAN, COVARIANCE, -1.0)
    with pytest.raises(InvalidInput, match=r"shape of the mean, \(2,\)"):
        NoisedGaussian(MEAN, None, 1.0).log_density(torch.zeros(4, 3, dtype=F64))
