"""The sub-variance-preserving process (Song et al., ICLR 2021): less noise than VP at all times."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.noise.vp import check_rates, check_times, integral_of_rate


@dataclass(frozen=True)
class SubVP(Process):
    """α² = exp(−∫₀ᵗ β), σ = 1 − α², β(t) = β_min + t (β_max − β_min), t ∈ [t_min, 1].

    dx = −½ β x dt + √(β (1 − e^{−2∫β})) dw. Data of unit variance keep at most that variance:
    α² + σ² = 1 − α²(1 − α²). The smallest time is above 0, where σ vanishes; by default σ is 0.002
    there.

    Raises
    ------
    InvalidInput
        Unless 0 ≤ β_min < β_max < ∞ and 0 < t_min < 1.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    t_min: float = 0.01

    def __post_init__(self) -> None:
        check_rates(self.beta_min, self.beta_max)
        check_times(self.t_min)

    @property
    def t_max(self) -> float:
        return 1.0

    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(-integral_of_rate(t, self.beta_min, self.beta_max) / 2)

    def sigma(self, t: Tensor) -> Tensor:
        return -torch.expm1(-integral_of_rate(t, self.beta_min, self.beta_max))
