"""Weights λ(t) on the denoising loss of the score, ½‖s_θ(x_t, t) + z/σ‖², as objects.

Each is a function of a process and times ``(n,)`` and returns ``(n,)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.shapes import positive


class Weight(Protocol):
    """λ(t): a process and times ``(n,)`` → ``(n,)``."""

    def __call__(self, process: Process, t: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class SigmaSquared:
    """λ = σ(t)²: every level's loss has the same order (Song & Ermon, NeurIPS 2019)."""

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        return process.sigma(t) ** 2


@dataclass(frozen=True)
class Likelihood:
    """λ = g(t)²: ∫ λ·loss dt bounds −E log p from above, up to constants.

    KL(p‖p_θ) ≤ ½∫ g² E‖s_θ − ∇log p_t‖² dt + KL(p_T‖π) (Song, Durkan, Murray & Ermon,
    "Maximum likelihood training of score-based diffusion models", NeurIPS 2021).
    """

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        return process.diffusion_squared(t)


@dataclass(frozen=True)
class EDMWeight:
    """λ = σ̃²(σ̃² + σ_d²)/σ_d² on the score of the unscaled rows, σ̃ = σ/α.

    It is unit weight on the output of the network of Karras et al. (NeurIPS 2022). For α ≠ 1 the
    score of x/α is α times that of x, hence a factor α².
    """

    sigma_data: float = 0.5

    def __post_init__(self) -> None:
        positive(self.sigma_data, "sigma_data")

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        variance, data = process.noise_level(t) ** 2, self.sigma_data**2
        return process.alpha(t) ** 2 * variance * (variance + data) / data


@dataclass(frozen=True)
class MinSNR:
    """λ = σ² min(γ/SNR, 1), SNR = α²/σ² (Hang et al., "Efficient diffusion training via min-SNR
    weighting strategy", ICCV 2023)."""

    gamma: float = 5.0

    def __post_init__(self) -> None:
        positive(self.gamma, "gamma")

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        inverse_snr = process.noise_level(t) ** 2
        return process.sigma(t) ** 2 * torch.clamp(self.gamma * inverse_snr, max=1.0)


@dataclass(frozen=True)
class FlowMatching:
    """λ = (g²/2)²: the loss ½‖u_θ(x_t, t) − (α̇ x + σ̇ z)‖² of the velocity, u = f x − ½ g² s.

    Y. Lipman et al., "Flow matching for generative modeling" (ICLR 2023).
    """

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        return (process.diffusion_squared(t) / 2) ** 2
