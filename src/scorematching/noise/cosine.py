"""The cosine process of Nichol & Dhariwal, "Improved denoising diffusion probabilistic models"
(ICML 2021), variance-preserving and slower than `VP` to destroy what is left of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.process import Process
from scorematching.noise.vp import check_times


@dataclass(frozen=True)
class Cosine(Process):
    """α = cos(½π(t + s)/(1 + s))/cos(½πs/(1 + s)), σ² = 1 − α², t ∈ [t_min, t_max] ⊂ (0, 1).

    The offset s ≥ 0 lets the noise start faster, for values that come in steps; s = 0 is
    α = cos ½πt, σ = sin ½πt. At t = 1 α vanishes, so that t_max lies below.

    Raises
    ------
    InvalidInput
        The offset is negative or not finite, or unless 0 < t_min < t_max < 1.
    """

    offset: float = 0.008
    t_min: float = 1e-4
    t_max: float = 0.995

    def __post_init__(self) -> None:
        if not 0 <= self.offset < float("inf"):
            raise InvalidInput(f"offset must be zero or positive, and finite: got {self.offset!r}.")
        check_times(self.t_min, self.t_max)

    def alpha(self, t: Tensor) -> Tensor:
        # cos ½π(t + s)/(1 + s) as a sine of 1 − t, which is exact where the cosine vanishes.
        return torch.sin(self._quarter() * (1 - t)) / math.cos(self._start())

    def sigma(self, t: Tensor) -> Tensor:
        # cos²a − cos²b = sin(b + a) sin(b − a), without the cancellation in 1 − α².
        start, moved = self._start(), self._quarter() * t
        product = torch.sin(2 * start + moved) * torch.sin(moved)
        return torch.sqrt(product) / math.cos(start)

    def _quarter(self) -> float:
        """½π/(1 + s)."""
        return math.pi / 2 / (1 + self.offset)

    def _start(self) -> float:
        """½πs/(1 + s), the angle at t = 0."""
        return self._quarter() * self.offset
