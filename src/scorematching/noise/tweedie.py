"""Score, denoiser, noise and velocity: four names of one function.

For x_t = α x₀ + σ z with density p_t, Tweedie's formula and its rearrangements give

    denoiser   D  = E[x₀ | x_t]          = (x_t + σ² s)/α
    noise      ε  = E[z | x_t]           = −σ s
    velocity   u  = dx_t/dt of the probability flow = f x_t − ½ g² s
    score      s  = ∇ log p_t(x_t)       = (α D − x_t)/σ² = −ε/σ

(H. Robbins 1956; K. Miyasawa 1961; B. Efron, "Tweedie's formula and selection bias", JASA 2011.)
Every function takes tensors like x, the process and t ``()`` or ``(n,)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.shapes import per_row
from scorematching.typing import Denoiser, NoisyScore


def denoiser_from_score(score: Tensor, x: Tensor, process: Process, t: Tensor) -> Tensor:
    """E[x₀ | x_t = x] = (x + σ² s)/α."""
    alpha, sigma = _scales(x, process, t)
    return (x + sigma**2 * score) / alpha


def score_from_denoiser(denoised: Tensor, x: Tensor, process: Process, t: Tensor) -> Tensor:
    """∇ log p_t(x) = (α D − x)/σ²."""
    alpha, sigma = _scales(x, process, t)
    return (alpha * denoised - x) / sigma**2


def noise_from_score(score: Tensor, x: Tensor, process: Process, t: Tensor) -> Tensor:
    """E[z | x_t = x] = −σ s."""
    return -_scales(x, process, t)[1] * score


def score_from_noise(noise: Tensor, x: Tensor, process: Process, t: Tensor) -> Tensor:
    """∇ log p_t(x) = −ε/σ."""
    return -noise / _scales(x, process, t)[1]


def velocity_from_score(score: Tensor, x: Tensor, process: Process, t: Tensor) -> Tensor:
    """dx/dt of the probability flow, f x − ½ g² s."""
    rate, diffusion = _rates(x, process, t)
    return rate * x - diffusion / 2 * score


def score_from_velocity(velocity: Tensor, x: Tensor, process: Process, t: Tensor) -> Tensor:
    """∇ log p_t(x) = 2 (f x − u)/g²."""
    rate, diffusion = _rates(x, process, t)
    return 2 * (rate * x - velocity) / diffusion


@dataclass(frozen=True)
class DenoiserScore:
    """The noisy score s(x, t) of a denoiser D(x, σ) of unscaled rows: (α D(x/α, σ/α) − x)/σ²."""

    denoiser: Denoiser
    process: Process

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        return score_from_denoiser(self.denoised(x, t), x, self.process, t)

    def denoised(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x₀ | x_t = x], without the way there and back through the score."""
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        alpha = per_row(self.process.alpha(t), x)
        return self.denoiser(x / alpha, self.process.noise_level(t))


@dataclass(frozen=True)
class ScoreDenoiser:
    """The denoiser D(x, σ) of unscaled rows of a noisy score; the inverse of `DenoiserScore`."""

    noisy_score: NoisyScore
    process: Process

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        t = self.process.time_of(sigma)
        scaled = per_row(self.process.alpha(t), x) * x
        score = self.noisy_score(scaled, t)
        return denoiser_from_score(score, scaled, self.process, t)


@dataclass(frozen=True)
class VelocityScore:
    """The noisy score 2 (f x − u)/g² of a model u(x, t) of the velocity, as of flow matching."""

    velocity: NoisyScore
    process: Process

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        return score_from_velocity(self.velocity(x, t), x, self.process, t)


@dataclass(frozen=True)
class ScoreVelocity:
    """The velocity f x − ½ g² s of a noisy score; the inverse of `VelocityScore`."""

    noisy_score: NoisyScore
    process: Process

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        return velocity_from_score(self.noisy_score(x, t), x, self.process, t)


def _scales(x: Tensor, process: Process, t: Tensor) -> tuple[Tensor, Tensor]:
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    return per_row(process.alpha(t), x), per_row(process.sigma(t), x)


def _rates(x: Tensor, process: Process, t: Tensor) -> tuple[Tensor, Tensor]:
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    return per_row(process.drift_rate(t), x), per_row(process.diffusion_squared(t), x)
