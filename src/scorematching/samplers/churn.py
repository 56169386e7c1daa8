"""Heun with churn: a little noise is added before each step down, and removed with the rest.

T. Karras et al., "Elucidating the design space of diffusion-based generative models" (NeurIPS
2022), Algorithm 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.samplers.diffusion import Diffusion
from scorematching.samplers.flow import Heun
from scorematching.samplers.walk import OnlyX, drawn
from scorematching.shapes import positive

LARGEST_GAMMA = math.sqrt(2) - 1


@dataclass(frozen=True)
class ChurnedHeun:
    """Up to σ̂ = (1 + γ)σ by fresh noise, then down to σ_next by a Heun step of the flow.

    In the unscaled rows y = x/α with noise level σ: ŷ = y + √(σ̂² − σ²) S_noise z, but never above
    the process's highest level. Fresh noise takes p_t to p_t̂ exactly, so rows that start with the
    process's law end with it up to the order of Heun's step, if γ falls as 1/n with n steps; from
    another start they forget it no faster than γ n allows.

    Parameters
    ----------
    gamma
        γ = min(S_churn/n, √2 − 1) of the paper, n the number of steps. Its S_churn is 0 to 100.
    s_noise
        The standard deviation of z; the paper's S_noise, 1 to 1.01.
    low, high
        The levels σ between which noise is added; the paper's S_tmin and S_tmax.

    Raises
    ------
    InvalidInput
        γ is not in [0, √2 − 1], s_noise not positive, or the levels are out of order.
    """

    gamma: float
    s_noise: float = 1.0
    low: float = 0.0
    high: float = math.inf

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 2
    draws: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= LARGEST_GAMMA:
            raise InvalidInput(
                f"gamma must be in [0, √2 − 1]: got {self.gamma!r}. It is S_churn divided by the "
                "number of steps; more would add more noise than there is."
            )
        positive(self.s_noise, "s_noise")
        if not 0 <= self.low < self.high:
            raise InvalidInput(f"expected 0 ≤ low < high: got {self.low!r} and {self.high!r}.")

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(
        self, diffusion: Diffusion, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> OnlyX:
        process = diffusion.process
        level = process.noise_level(t)
        if not self.low <= level.item() <= self.high:
            return Heun()(diffusion, state, t, t_next, None)
        top = process.noise_level(torch.as_tensor(process.t_max, dtype=t.dtype))
        raised = torch.minimum(level * (1 + self.gamma), top)
        added = self.s_noise * (raised**2 - level**2).clamp(min=0).sqrt().item()
        above = process.time_of(raised)
        alpha, alpha_above = diffusion.scales(t)[0], diffusion.scales(above)[0]
        noised = alpha_above * (state.x / alpha + added * drawn(z))
        return Heun()(diffusion, OnlyX(noised), above, t_next, None)
