"""The process of Karras et al., "Elucidating the design space of diffusion-based generative
models" (NeurIPS 2022): time is the noise level itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.noise.ve import check_range


@dataclass(frozen=True)
class EDM(Process):
    """σ(t) = t, α = 1, t ∈ [σ_min, σ_max]; 0 < σ_min < σ_max.

    Raises
    ------
    InvalidInput
        The noise levels are not positive, finite and increasing.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0

    def __post_init__(self) -> None:
        check_range(self.sigma_min, self.sigma_max)

    @property
    def t_min(self) -> float:
        return self.sigma_min

    @property
    def t_max(self) -> float:
        return self.sigma_max

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return t

    def noise_level(self, t: Tensor) -> Tensor:
        return t

    def time_of(self, noise_level: Tensor) -> Tensor:
        """The level itself; errors as in `Process.time_of`."""
        return self._within_range(noise_level).clamp(self.t_min, self.t_max)
