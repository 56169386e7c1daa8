"""The homotopy of the lecture notes, from data to noise by square roots of time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.noise.vp import check_times


@dataclass(frozen=True)
class SquareRoot(Process):
    """x_t = √(1 − t) x + √t z, t ∈ [t_min, t_max] ⊂ (0, 1).

    dx = −½ x/(1 − t) dt + dw/√(1 − t). Variance-preserving: t is the share of the noise in the
    variance. The density of x_t is a convolution, that of √(1 − t) x with N(0, tI).

    The lecture counts time the other way, x_τ = √τ x + √(1 − τ) z with τ = 1 − t: noise at τ = 0
    and data at τ = 1. Here the noise grows with the time, as in every process.

    Raises
    ------
    InvalidInput
        Unless 0 < t_min < t_max < 1.
    """

    t_min: float = 1e-5
    t_max: float = 0.9999

    def __post_init__(self) -> None:
        check_times(self.t_min, self.t_max)

    def alpha(self, t: Tensor) -> Tensor:
        return torch.sqrt(1 - t)

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sqrt(t)
