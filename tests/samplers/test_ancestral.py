"""DDIM and ancestral sampling against the papers' formulas and the law of q(x_s | x_t, x₀)."""

from __future__ import annotations

import math

import pytest
import torch

from samplers.closed_form import F64, MEAN, MIXTURE, PROCESSES
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VP, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    DDIM,
    Diffusion,
    DPMSolver2M,
    LogUniformGrid,
    SDEDPMSolver2M,
    probability_flow,
    reverse_sde,
)
from scorematching.samplers.multistep import Multistep
from scorematching.samplers.walk import OnlyX


def pair(process: Process) -> tuple[torch.Tensor, torch.Tensor]:
    t, t_next = LogUniformGrid(5, 0.2, 2.0)(process)[1:3]
    return t, t_next


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_the_step_is_the_one_of_the_paper(eta: float) -> None:
    process = VP(0.5, 8.0, 0.01)
    t, t_next = pair(process)
    x, z = normal((2, 4, 2), MEAN, seeded("x"))
    got = DDIM(eta)(Diffusion(MIXTURE.noisy_score(process), process), OnlyX(x), t, t_next, z).x
    # Their α is our α², and ε = −σ s.
    a, a_next = process.alpha(t) ** 2, process.alpha(t_next) ** 2
    epsilon = -(1 - a).sqrt() * MIXTURE.noisy_score(process)(x, t)
    clean = (x - (1 - a).sqrt() * epsilon) / a.sqrt()
    sigma = eta * ((1 - a_next) / (1 - a)).sqrt() * (1 - a / a_next).sqrt()
    expected = a_next.sqrt() * clean + (1 - a_next - sigma**2).sqrt() * epsilon + sigma * z
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_ancestral_step_draws_from_the_law_of_the_next_level_given_this_and_the_data(
    process: Process,
) -> None:
    """With D = x₀ fixed: Bayes' rule for x_s ~ N(α_s x₀, σ_s²) and x_t = a x_s + noise."""
    t, t_next = pair(process)
    clean, x = 0.7, torch.tensor([[1.3]], dtype=F64)

    def pointed(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (process.alpha(t) * clean - x) / process.sigma(t) ** 2

    step, diffusion = DDIM(1.0), Diffusion(pointed, process)
    zero, one = (step(diffusion, OnlyX(x), t, t_next, torch.full_like(x, z)).x for z in (0.0, 1.0))
    a = process.alpha(t) / process.alpha(t_next)
    noise = process.sigma(t) ** 2 - a**2 * process.sigma(t_next) ** 2
    precision = 1 / process.sigma(t_next) ** 2 + a**2 / noise
    mean = (process.alpha(t_next) * clean / process.sigma(t_next) ** 2 + a * x / noise) / precision
    torch.testing.assert_close(zero, mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(one - zero, precision**-0.5 * torch.ones_like(x), rtol=1e-12, atol=0)


def test_both_ends_are_first_steps_of_the_second_order_solvers() -> None:
    process = VP()
    t, t_next = pair(process)
    diffusion = Diffusion(MIXTURE.noisy_score(process), process)
    x, z = normal((2, 4, 2), MEAN, seeded("x"))
    flow = DDIM(0.0)(diffusion, OnlyX(x), t, t_next, None).x
    sde = DDIM(1.0)(diffusion, OnlyX(x), t, t_next, z).x
    second = DPMSolver2M()(diffusion, Multistep(x), t, t_next, None).x
    noisy = SDEDPMSolver2M()(diffusion, Multistep(x), t, t_next, z).x
    torch.testing.assert_close(flow, second, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sde, noisy, rtol=1e-12, atol=1e-12)


def test_only_a_positive_eta_draws_noise() -> None:
    score, x = MIXTURE.noisy_score(EDM()), torch.ones(2, 2)
    with pytest.raises(InvalidInput, match="Use probability_flow"):
        reverse_sde(score, EDM(), x, step=DDIM())
    with pytest.raises(InvalidInput, match="Use reverse_sde"):
        probability_flow(score, EDM(), x, step=DDIM(0.5))


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_an_eta_outside_its_range_is_refused(eta: float) -> None:
    with pytest.raises(InvalidInput, match=r"eta must be in \[0, 1\]"):
        DDIM(eta)
