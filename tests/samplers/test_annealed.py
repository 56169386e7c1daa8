"""Annealed Langevin: its exact law on a Gaussian, and the proportions that Langevin gets wrong."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from samplers.closed_form import COVARIANCE, F64, GAUSSIAN, MEAN, law_of_walk
from scorematching.densities import GaussianMixture
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, Ladder
from scorematching.random import normal, seeded
from scorematching.samplers import (
    AnnealedLangevin,
    ConsistentAnnealed,
    Diffusion,
    LadderGrid,
    LogUniformGrid,
    Solve,
    annealed_langevin,
    reverse_sde,
    ula,
)

LEVELS = (0.3, 0.8, 2.0)
LADDER = Ladder(LEVELS)
EPSILON = 0.05  # at the lowest level
EACH = 3


def recursion(variance: Tensor, eigenvalues: Tensor) -> Tensor:
    """Along each eigenvector EACH times a level, v ← (1 − η/(c + σ²))² v + 2η, η = ε σ²/σ_L²."""
    for sigma in sorted(LEVELS, reverse=True):
        eta = EPSILON * sigma**2 / min(LEVELS) ** 2
        for _ in range(EACH):
            variance = (1 - eta / (eigenvalues + sigma**2)) ** 2 * variance + 2 * eta
    return variance


def test_the_law_is_exact_on_a_gaussian() -> None:
    eigenvalues, vectors = torch.linalg.eigh(COVARIANCE)
    step = AnnealedLangevin(Diffusion(GAUSSIAN.noisy_score(LADDER), LADDER), EPSILON / 0.3**2)
    times = torch.tensor([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    mean, covariance = law_of_walk(step, times, MEAN, torch.eye(2, dtype=F64) * 5)
    expected = recursion(torch.full((2,), 5.0, dtype=F64), eigenvalues)
    torch.testing.assert_close(mean, MEAN, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        vectors.T @ covariance @ vectors, torch.diag(expected), rtol=1e-12, atol=1e-12
    )


def test_the_sampler_has_that_law(generator: torch.Generator) -> None:
    eigenvalues, vectors = torch.linalg.eigh(COVARIANCE)
    n = 20_000
    x = MEAN + math.sqrt(5) * normal((n, 2), MEAN, generator)
    result = annealed_langevin(
        GAUSSIAN.noisy_score(LADDER),
        LADDER,
        x,
        step_size=EPSILON,
        n_steps_each=EACH,
        final_denoise=False,
        generator=generator,
    )
    expected = recursion(torch.full((2,), 5.0, dtype=F64), eigenvalues)
    variances = (result.x @ vectors).var(0)
    assert bool(((variances - expected).abs() < 4 * expected * math.sqrt(2 / n)).all())
    assert result.n_evaluations == EACH * len(LEVELS)
    shifted = recursion(torch.full((2,), 5.0, dtype=F64), eigenvalues * 0 + 1)
    assert bool(((variances - shifted).abs() > 4 * expected * math.sqrt(2 / n)).any())


def test_a_scaled_process_walks_like_its_unscaled_rows() -> None:
    grid, x = LogUniformGrid(5, 0.1, 3.0), normal((6, 2), MEAN, seeded("start"))
    unscaled, scaled = (
        annealed_langevin(
            GAUSSIAN.noisy_score(process),
            process,
            process.alpha(grid(process)[0]) * x,
            grid,
            step_size=0.002,
            n_steps_each=4,
            generator=seeded("noise"),
        ).x
        for process in (EDM(), VP())
    )
    torch.testing.assert_close(unscaled, scaled, rtol=1e-10, atol=1e-10)


def test_annealing_finds_proportions_that_plain_langevin_misses(
    generator: torch.Generator,
) -> None:
    mixture = GaussianMixture(
        torch.tensor([0.2, 0.8], dtype=F64),
        torch.tensor([[-4.0], [4.0]], dtype=F64),
        torch.full((2, 1, 1), 0.25, dtype=F64),
    )
    ladder = Ladder.geometric(0.2, 20.0, 12)
    n, bias = 2000, 0.02  # 20,000 chains gave 0.2188: the steps are few and finite
    x = 20 * normal((n, 1), MEAN, generator)
    annealed = annealed_langevin(
        mixture.noisy_score(ladder),
        ladder,
        x,
        step_size=0.2 * 0.2**2,
        n_steps_each=40,
        generator=generator,
    ).x
    plain = ula(mixture.score, x / 5, 0.05, 12 * 40, generator=generator).x
    error = math.sqrt(0.2 * 0.8 / n)
    assert abs((annealed < 0).double().mean().item() - 0.2) < bias + 4 * error
    assert abs((plain < 0).double().mean().item() - 0.5) < 0.05
    assert annealed[annealed > 0].std().item() == pytest.approx(0.475, abs=0.04)


def test_the_last_denoising_is_tweedie_s_and_is_counted() -> None:
    x = normal((6, 2), MEAN, seeded("start"))
    options = {"step_size": EPSILON, "n_steps_each": 2}
    raw, clean = (
        annealed_langevin(
            GAUSSIAN.noisy_score(LADDER),
            LADDER,
            x,
            final_denoise=last,
            generator=seeded("noise"),
            **options,
        )
        for last in (False, True)
    )
    torch.testing.assert_close(clean.x, GAUSSIAN.denoise(raw.x, 0.3), rtol=1e-12, atol=1e-12)
    assert clean.n_evaluations == raw.n_evaluations + 1 == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0.0}, "step_size must be positive"),
        ({"step_size": 0.1, "n_steps_each": 0}, "n_steps_each must be an integer of at least 1"),
    ],
)
def test_impossible_steps_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        annealed_langevin(GAUSSIAN.noisy_score(LADDER), LADDER, torch.ones(2, 2), **options)  # type: ignore[arg-type]


def test_a_process_without_levels_needs_a_grid() -> None:
    with pytest.raises(InvalidInput, match="Pass grid=LogUniformGrid"):
        annealed_langevin(GAUSSIAN.noisy_score(VE()), VE(), torch.ones(2, 2), step_size=0.1)


def test_consistent_annealing_is_the_update_of_the_paper() -> None:
    """x ← x + ε σᵢ²/σ_L² s(x, σᵢ) + β σ_{i+1} z with β² = 1 − (1 − ε/σ_L²)²/γ²."""
    ladder = Ladder.geometric(0.1, 2.0, 6)
    gamma, ratio = (0.1 / 2.0) ** (1 / 5), 0.6
    x = 2 * normal((4, 2), MEAN, seeded("x"))
    draws = normal((5, 4, 2), MEAN, seeded("z"))
    score = GAUSSIAN.noisy_score(ladder)
    got = reverse_sde(
        score,
        ladder,
        x,
        LadderGrid(),
        step=ConsistentAnnealed(ratio),
        noise=lambda i, x: draws[i],
        final_denoise=False,
    ).x
    beta = math.sqrt(1 - (1 - ratio) ** 2 / gamma**2)
    for i, z in enumerate(draws):
        t = torch.tensor(5.0 - i, dtype=F64)
        sigma = ladder.sigma(t)
        x = x + ratio * sigma**2 * score(x, t) + beta * gamma * sigma * z
    torch.testing.assert_close(got, x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("process", [VE(0.1, 3.0), VP(0.5, 8.0, 0.01)], ids=repr)
@pytest.mark.parametrize("ratio", [0.7, 1.0])
def test_consistent_annealing_leaves_each_level_the_noise_that_it_has(
    process: VE | VP, ratio: float
) -> None:
    """With D = x₀ fixed every x_t stays N(α x₀, σ²); Langevin leaves more."""

    def pointed(x: Tensor, t: Tensor) -> Tensor:
        return (0.7 * process.alpha(t) - x) / process.sigma(t) ** 2

    times = LogUniformGrid(6)(process)
    sigma, alpha = process.sigma(times), process.alpha(times)
    solve = Solve(ConsistentAnnealed(ratio), Diffusion(pointed, process))
    start = 0.7 * alpha[:1], sigma[:1].reshape(1, 1) ** 2
    mean, variance = law_of_walk(solve, times, *start)
    assert mean.item() == pytest.approx(0.7 * alpha[-1].item(), rel=1e-9)
    assert variance.item() == pytest.approx(sigma[-1].item() ** 2, rel=1e-9)
    langevin = AnnealedLangevin(Diffusion(pointed, process), ratio)
    assert law_of_walk(langevin, times, *start)[1].item() > 1.2 * sigma[-1].item() ** 2


def test_a_step_that_would_leave_too_much_noise_is_refused_with_what_would_do() -> None:
    process = VE(0.1, 3.0)
    x, score = torch.ones(2, 2, dtype=F64), GAUSSIAN.noisy_score(VE(0.1, 3.0))
    with pytest.raises(InvalidInput, match="Pass a ratio of at least") as caught:
        reverse_sde(score, process, x, LogUniformGrid(5), step=ConsistentAnnealed(0.2))
    least = float(str(caught.value).split("at least ")[1].split(",")[0])
    assert least == pytest.approx(1 - (0.1 / 3.0) ** (1 / 5), rel=1e-5)
    reverse_sde(score, process, x, LogUniformGrid(5), step=ConsistentAnnealed(least + 1e-5))
    for ratio in (0.0, 1.2):
        with pytest.raises(InvalidInput, match=r"must be in \(0, 1\]"):
            ConsistentAnnealed(ratio)
