"""Weights against their closed forms under each process."""

from __future__ import annotations

import math

import pytest
import torch

from claims.noise_conditional import PROCESSES, WEIGHTS, weigh
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, StraightLine
from scorematching.objectives import EDMWeight, FlowMatching, Likelihood, MinSNR, SigmaSquared

DOUBLE = torch.float64
T = torch.tensor([0.05, 0.3, 0.9], dtype=DOUBLE)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_each_weight_is_its_formula_under_each_process(weight: str, process: str) -> None:
    chosen = PROCESSES[process]
    t = chosen.t_min + (T - 0.05) / 0.9 * (chosen.t_max - chosen.t_min)
    value = WEIGHTS[weight](chosen, t)
    assert value.shape == (3,)
    torch.testing.assert_close(value, weigh(WEIGHTS[weight], chosen, t))


def test_sigma_squared_is_the_variance_of_the_noise_in_x_t() -> None:
    torch.testing.assert_close(SigmaSquared()(EDM(), T), T**2)
    integral = 0.1 * T + 19.9 * T**2 / 2
    torch.testing.assert_close(SigmaSquared()(VP(), T), 1 - torch.exp(-integral))


def test_the_likelihood_weight_is_the_squared_diffusion() -> None:
    torch.testing.assert_close(Likelihood()(EDM(), T), 2 * T)
    torch.testing.assert_close(Likelihood()(VP(), T), 0.1 + 19.9 * T)
    sigma = 0.01 * 5000**T
    torch.testing.assert_close(Likelihood()(VE(), T), 2 * math.log(5000) * sigma**2)


def test_the_edm_weight_is_that_of_karras_on_the_loss_of_the_denoiser() -> None:
    """λ·½‖s + z/σ‖² = λ/σ⁴ · ½‖D − x‖², and Karras et al. have (σ² + σ_d²)/(σσ_d)² there."""
    data = 0.5
    on_denoiser = (T**2 + data**2) / (T * data) ** 2
    torch.testing.assert_close(EDMWeight(data)(EDM(), T), on_denoiser * T**4)


def test_min_snr_caps_the_weight_of_the_denoiser_at_gamma() -> None:
    """On ½‖D − x‖² it is min(SNR, γ); the factor is α²/σ⁴."""
    for process in (VP(), EDM()):
        alpha, sigma = process.alpha(T), process.sigma(T)
        snr = (alpha / sigma) ** 2
        assert bool((snr > 5).any())
        assert bool((snr < 5).any())
        on_denoiser = MinSNR()(process, T) * alpha**2 / sigma**4
        torch.testing.assert_close(on_denoiser, snr.clamp(max=5.0))


def test_flow_matching_weighs_the_score_by_its_share_in_the_velocity() -> None:
    """u = −(x + t s)/(1 − t) on the straight line, and u = −σσ̇ s where α = 1."""
    torch.testing.assert_close(FlowMatching()(StraightLine(), T), (T / (1 - T)) ** 2)
    torch.testing.assert_close(FlowMatching()(EDM(), T), T**2)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_not_positive_is_refused(bad: float) -> None:
    with pytest.raises(InvalidInput, match="sigma_data must be positive"):
        EDMWeight(bad)
    with pytest.raises(InvalidInput, match="gamma must be positive"):
        MinSNR(bad)
