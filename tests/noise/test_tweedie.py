"""Score, denoiser, noise and velocity of a mixture, where each is known by itself."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from claims.truths import MIXTURE
from scorematching.noise import (
    EDM,
    VE,
    VP,
    DenoiserScore,
    Ladder,
    Process,
    ScoreDenoiser,
    ScoreVelocity,
    StraightLine,
    SubVP,
    VelocityScore,
    denoiser_from_score,
    noise_from_score,
    score_from_denoiser,
    score_from_noise,
    score_from_velocity,
    velocity_from_score,
)
from scorematching.random import normal, seeded

DOUBLE = torch.float64
N = 12
PROCESSES = [
    VE(0.1, 10.0),
    VP(0.2, 9.0, t_min=0.01),
    SubVP(0.2, 9.0, t_min=0.1),
    EDM(0.05, 20.0),
    Ladder((0.2, 0.7, 3.0)),
    StraightLine(0.05, 0.95),
]
everyone = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)


def setting(process: Process) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Noised rows x ``(N, 2)`` at N times, and α and σ there."""
    u = (torch.arange(N, dtype=DOUBLE) + 0.37) / N
    t = process.t_min + u * (process.t_max - process.t_min)
    x0 = MIXTURE.sample(N, seeded("rows"))
    x, _ = process.perturb(x0, t, seeded("noise"))
    return x, t, process.alpha(t), process.sigma(t)


@functools.cache
def grid() -> tuple[Tensor, Tensor]:
    """Nodes close enough for the least noise of all processes, 0.05, and their masses."""
    return MIXTURE.nodes(9.0, 0.025)


def posterior_mean(x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """E[x₀ | αx₀ + σz = x] as a quotient of integrals over a grid of x₀, row by row."""
    nodes, mass = grid()
    means = []
    for row, a, s in zip(x, alpha, sigma, strict=True):
        exponent = -((row - a * nodes) ** 2).sum(1) / (2 * s**2)
        weight = mass * torch.exp(exponent - exponent.max())
        means.append((weight[:, None] * nodes).sum(0) / weight.sum())
    return torch.stack(means)


def true_score(x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """∇ log p_t from the mixture of the noised components."""
    rows = zip(x, alpha.tolist(), sigma.tolist(), strict=True)
    return torch.cat([MIXTURE.noised(s, a).score(row[None]) for row, a, s in rows])


@everyone
def test_the_denoiser_is_the_posterior_mean(process: Process) -> None:
    x, t, alpha, sigma = setting(process)
    denoised = denoiser_from_score(true_score(x, alpha, sigma), x, process, t)
    torch.testing.assert_close(denoised, posterior_mean(x, alpha, sigma), rtol=1e-9, atol=1e-9)


@everyone
def test_the_noise_is_the_posterior_mean_of_z(process: Process) -> None:
    x, t, alpha, sigma = setting(process)
    noise = noise_from_score(true_score(x, alpha, sigma), x, process, t)
    mean = posterior_mean(x, alpha, sigma)
    truth = (x - alpha[:, None] * mean) / sigma[:, None]
    torch.testing.assert_close(noise, truth, rtol=1e-9, atol=1e-9)


@everyone
def test_the_velocity_is_the_posterior_mean_of_the_path_s(process: Process) -> None:
    """u = E[α̇x₀ + σ̇z | x_t = x], with slopes of α and σ by differences."""
    x, t, alpha, sigma = setting(process)
    h = 1e-6
    alpha_slope = ((process.alpha(t + h) - process.alpha(t - h)) / (2 * h))[:, None]
    sigma_slope = ((process.sigma(t + h) - process.sigma(t - h)) / (2 * h))[:, None]
    mean = posterior_mean(x, alpha, sigma)
    z = (x - alpha[:, None] * mean) / sigma[:, None]
    velocity = velocity_from_score(true_score(x, alpha, sigma), x, process, t)
    torch.testing.assert_close(velocity, alpha_slope * mean + sigma_slope * z, rtol=1e-6, atol=1e-6)


@everyone
def test_the_velocity_carries_the_density(process: Process) -> None:
    """∂p_t/∂t + ∇·(p_t u) = 0, by differences in t and in x."""
    x, t, _, _ = setting(process)
    library, h = MIXTURE.library(), 1e-5

    def density(x: Tensor, t: Tensor) -> Tensor:
        return library.diffused_log_density(x, process.alpha(t), process.sigma(t)).exp()

    def flux(x: Tensor) -> Tensor:
        score = library.diffused_score(x, process.alpha(t), process.sigma(t))
        return density(x, t)[:, None] * velocity_from_score(score, x, process, t)

    change = (density(x, t + h) - density(x, t - h)) / (2 * h)
    outflow = sum(
        (flux(x + h * e) - flux(x - h * e))[:, j] / (2 * h)
        for j, e in enumerate(torch.eye(2, dtype=DOUBLE))
    )
    assert change.abs().max() > 1e-4
    torch.testing.assert_close(change, -outflow, rtol=1e-5, atol=1e-7)


PAIRS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "denoiser": (denoiser_from_score, score_from_denoiser),
    "noise": (noise_from_score, score_from_noise),
    "velocity": (velocity_from_score, score_from_velocity),
}


@everyone
@pytest.mark.parametrize("event", [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 2)])
@pytest.mark.parametrize("name", PAIRS)
def test_there_and_back_is_the_identity(
    process: Process, event: tuple[int, ...], name: str
) -> None:
    there, back = PAIRS[name]
    x, score = (
        normal((N, *event), torch.zeros(1, dtype=DOUBLE), seeded(k)) for k in ("x", "score")
    )
    _, t, _, _ = setting(process)
    torch.testing.assert_close(back(there(score, x, process, t), x, process, t), score)
    single = there(score[3:4], x[3:4], process, t[3])  # a time that is a number
    torch.testing.assert_close(single, there(score, x, process, t)[3:4])


@everyone
def test_the_score_of_a_denoiser_of_unscaled_rows(process: Process) -> None:
    """Its argument is x/α at noise level σ/α."""
    x, t, alpha, sigma = setting(process)
    level = sigma / alpha

    def denoiser(y: Tensor, s: Tensor) -> Tensor:
        return posterior_mean(y, torch.ones_like(s), s)

    score = DenoiserScore(denoiser, process)(x, t)
    torch.testing.assert_close(score, true_score(x, alpha, sigma), rtol=1e-6, atol=1e-8)
    back = ScoreDenoiser(DenoiserScore(denoiser, process), process)
    y = x / alpha[:, None]
    torch.testing.assert_close(back(y, level), denoiser(y, level), rtol=1e-7, atol=1e-7)


def test_the_score_of_a_velocity_and_back() -> None:
    """u = E[z − x₀ | x_t], the mean of the velocities of the paths."""
    process = StraightLine(0.05, 0.95)
    x, t, alpha, sigma = setting(process)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        mean = posterior_mean(x, alpha, sigma)
        return process.path_velocity(mean, (x - alpha[:, None] * mean) / sigma[:, None], t)

    score = VelocityScore(velocity, process)
    torch.testing.assert_close(score(x, t), true_score(x, alpha, sigma), rtol=1e-7, atol=1e-8)
    back = ScoreVelocity(score, process)
    torch.testing.assert_close(back(x, t), velocity(x, t), rtol=1e-7, atol=1e-7)


@everyone
def test_the_denoiser_of_a_noisy_score_takes_a_number_or_one_per_row(process: Process) -> None:
    x, _, alpha, sigma = setting(process)
    denoiser = ScoreDenoiser(MIXTURE.library().noisy_score(process), process)
    level = sigma / alpha
    rows = denoiser(x, level)
    torch.testing.assert_close(denoiser(x[4:5], level[4].item()), rows[4:5])
    truth = posterior_mean(x, torch.ones_like(level), level)
    torch.testing.assert_close(rows, truth, rtol=1e-7, atol=1e-7)


@everyone
def test_a_denoiser_that_ignores_the_scale_is_wrong_where_alpha_is_not_one(
    process: Process,
) -> None:
    """Control: Tweedie's formula with α left out agrees for α = 1 only."""
    x, _, alpha, sigma = setting(process)
    careless = x + sigma[:, None] ** 2 * true_score(x, alpha, sigma)
    right = torch.allclose(careless, posterior_mean(x, alpha, sigma), rtol=1e-6)
    assert right is bool((alpha == 1).all())


def test_single_precision_is_kept() -> None:
    x = torch.zeros(3, 2)
    t = torch.tensor(0.5, dtype=DOUBLE)
    for there, back in PAIRS.values():
        assert there(x, x, VP(), t).dtype == back(x, x, VP(), t).dtype == torch.float32
    assert DenoiserScore(lambda x, s: x, VP())(x, t).dtype == torch.float32
    assert math.isfinite(DenoiserScore(lambda x, s: x, VP())(x + 1, t).sum())
