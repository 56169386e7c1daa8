"""The variance-exploding process of Song et al. (ICLR 2021): x_t = x + σ(t) z, σ geometric in t."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.process import Process


@dataclass(frozen=True)
class VE(Process):
    """σ(t) = σ_min (σ_max/σ_min)^t, α = 1, t ∈ [0, 1]; 0 < σ_min < σ_max.

    Raises
    ------
    InvalidInput
        The noise levels are not positive, finite and increasing.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    def __post_init__(self) -> None:
        check_range(self.sigma_min, self.sigma_max)

    @property
    def t_min(self) -> float:
        return 0.0

    @property
    def t_max(self) -> float:
        return 1.0

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t


def check_range(sigma_min: float, sigma_max: float) -> None:
    """Raise `InvalidInput` unless 0 < sigma_min < sigma_max < ∞."""
    if not 0 < sigma_min < sigma_max < float("inf"):
        raise InvalidInput(
            f"expected 0 < sigma_min < sigma_max < ∞: got sigma_min = {sigma_min!r}, "
            f"sigma_max = {sigma_max!r}. Both are standard deviations in the units of x."
        )
