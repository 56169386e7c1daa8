"""Importance-sampled times: their law, the mean they keep and the variance they take away."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from claims.noise_conditional import PROCESSES, DiffusedNormal, expected_at, over_times
from claims.truths import GAUSSIAN, OTHER_GAUSSIAN
from scorematching.noise import EDM, VE, VP, Process
from scorematching.objectives import Likelihood, SigmaSquared, UniformTimes, ncsn
from scorematching.objectives.importance import ImportanceWeight, LikelihoodTimes
from scorematching.random import seeded

LIKE = torch.zeros(1, dtype=torch.float64)
N = 20_000
ALL = pytest.mark.parametrize("process", [VE(), VP(), EDM()])


@ALL
def test_the_log_snr_of_the_draws_is_uniform(process: Process) -> None:
    t = LikelihoodTimes(stratified=False)(process, N, LIKE, seeded("uniform", str(process)))
    ends = process.log_snr(torch.tensor([process.t_max, process.t_min], dtype=torch.float64))
    u = (process.log_snr(t) - ends[0]) / (ends[1] - ends[0])
    assert process.t_min <= t.min()
    assert t.max() <= process.t_max
    assert stats.kstest(u.numpy(), stats.uniform.cdf).pvalue > 1e-4


@ALL
def test_the_density_is_the_derivative_of_the_distribution(process: Process) -> None:
    """P(a < t < b) by Gauss–Legendre in ln t against the share of stratified draws."""
    times = LikelihoodTimes()
    t = times(process, N, LIKE, seeded("density", str(process)))
    a, b = t.quantile(0.2).item(), t.quantile(0.7).item()
    y, weight = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(200))
    half = math.log(b / a) / 2
    nodes = torch.exp(math.log(a) + half * (y + 1))
    share = (half * weight * nodes * times.density(process, nodes)).sum().item()
    assert share == pytest.approx(0.5, abs=3 / N)


def test_draws_follow_the_dtype_and_stratify() -> None:
    times, process = LikelihoodTimes(), EDM(0.01, 20.0)
    t = times(process, 500, torch.zeros(1), seeded(0))
    assert t.dtype == torch.float32
    slices = 500 * (t.double().log() - math.log(0.01)) / math.log(2000.0)
    inside = slices - torch.arange(500)
    assert inside.min() > -1e-3  # float32 rounds ln t by 1e-7 of ln 2000, a slice is 2e-3 of it
    assert inside.max() < 1 + 1e-3


@pytest.mark.parametrize("name", ["VE", "VP", "EDM"])
def test_the_corrected_weight_has_the_mean_of_uniform_times(name: str) -> None:
    process, generator = PROCESSES[name], seeded("importance", name)
    model = DiffusedNormal(OTHER_GAUSSIAN, process)
    nodes, mass = over_times(process)
    for weight in (Likelihood(), SigmaSquared()):
        expected = (mass * expected_at(OTHER_GAUSSIAN, process, weight, nodes)).sum()
        times = LikelihoodTimes(stratified=False)
        x = GAUSSIAN.sample(N, generator)
        rows = ncsn(model, x, process, ImportanceWeight(weight, times), generator, times=times)
        assert abs(rows.mean() - expected) < 4 * rows.std() / math.sqrt(N)
        # The control: the weight uncorrected has another mean, if the law of times differs.
        rows = ncsn(model, x, process, weight, generator, times=times)
        biased = abs(rows.mean() - expected) > 8 * rows.std() / math.sqrt(N)
        assert bool(biased) == (name != "VE"), weight


def test_with_the_likelihood_weight_it_is_the_variance_of_the_noise_times_a_constant() -> None:
    t = torch.tensor([0.05, 0.3, 0.9], dtype=torch.float64)
    for process in (VP(t_min=1e-3), EDM(0.02, 3.0)):
        ends = torch.tensor([process.t_min, process.t_max], dtype=torch.float64)
        z = -process.log_snr(ends).diff() / ends.diff()
        weight = ImportanceWeight(Likelihood(), LikelihoodTimes())
        torch.testing.assert_close(weight(process, t), process.sigma(t) ** 2 * z)


def spread(process: Process, *, importance: bool) -> Tensor:
    generator = seeded("variance", str(process))
    x = GAUSSIAN.sample(N, generator)
    model = DiffusedNormal(GAUSSIAN, process)
    if not importance:
        return ncsn(model, x, process, Likelihood(), generator, times=UniformTimes()).std()
    times = LikelihoodTimes(stratified=False)
    weight = ImportanceWeight(Likelihood(), times)
    return ncsn(model, x, process, weight, generator, times=times).std()


@pytest.mark.parametrize(("process", "least"), [(VP(), 100.0), (EDM(), 100.0)])
def test_the_variance_of_the_likelihood_loss_falls_a_hundredfold(
    process: Process, least: float
) -> None:
    """Measured: 350 for VP and 440 for EDM; the heavy tails of uniform times make them vary."""
    ratio = (spread(process, importance=False) / spread(process, importance=True)) ** 2
    assert ratio > least


def test_where_uniform_times_are_uniform_in_log_snr_nothing_changes() -> None:
    ratio = spread(VE(), importance=False) / spread(VE(), importance=True)
    assert ratio == pytest.approx(1.0, abs=0.05)
