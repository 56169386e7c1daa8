"""The variance-preserving process (Song et al., ICLR 2021), the limit of DDPM (Ho et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.process import Process


@dataclass(frozen=True)
class VP(Process):
    """α² = exp(−∫₀ᵗ β), σ² = 1 − α², β(t) = β_min + t (β_max − β_min), t ∈ [t_min, 1].

    dx = −½ β x dt + √β dw keeps unit variance. The smallest time is above 0, where σ vanishes.

    Raises
    ------
    InvalidInput
        Unless 0 ≤ β_min < β_max < ∞ and 0 < t_min < 1.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    t_min: float = 1e-5

    def __post_init__(self) -> None:
        if not 0 <= self.beta_min < self.beta_max < float("inf"):
            raise InvalidInput(
                f"expected 0 ≤ beta_min < beta_max < ∞: got beta_min = {self.beta_min!r}, "
                f"beta_max = {self.beta_max!r}."
            )
        if not 0 < self.t_min < 1:
            raise InvalidInput(f"expected 0 < t_min < 1: got t_min = {self.t_min!r}.")

    @property
    def t_max(self) -> float:
        return 1.0

    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(-self._integral(t) / 2)

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(-self._integral(t)))

    def _integral(self, t: Tensor) -> Tensor:
        """∫₀ᵗ β."""
        return t * self.beta_min + t**2 * (self.beta_max - self.beta_min) / 2
