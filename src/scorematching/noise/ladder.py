"""A ladder of noise levels, as in noise-conditional score networks (Song & Ermon, NeurIPS 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.process import Process
from scorematching.noise.ve import check_range


@dataclass(frozen=True)
class Ladder(Process):
    """Levels σ₀ < σ₁ < … < σ_{L−1}; x_t = x + σ(t) z, t ∈ [0, L − 1].

    A whole number t is a level; between two levels ln σ is linear in t. Levels are counted upwards
    because t grows with the noise here; the papers count them downwards.

    Raises
    ------
    InvalidInput
        Fewer than two levels, or levels that are not positive, finite and increasing.
    """

    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(float(level) for level in self.levels))
        if len(self.levels) < 2:
            raise InvalidInput(f"a ladder needs at least two levels: got {len(self.levels)}.")
        for lower, upper in zip(self.levels, self.levels[1:], strict=False):
            if not 0 < lower < upper < float("inf"):
                raise InvalidInput(
                    "the levels of a ladder must be positive, finite and increasing: got "
                    f"{lower!r} before {upper!r}. Sort them from the smallest to the largest."
                )

    @classmethod
    def geometric(cls, sigma_min: float, sigma_max: float, n_levels: int) -> Ladder:
        """n_levels levels from sigma_min to sigma_max with a constant ratio."""
        check_range(sigma_min, sigma_max)
        if n_levels < 2:
            raise InvalidInput(f"a ladder needs at least two levels: got {n_levels}.")
        ratio = (sigma_max / sigma_min) ** (1 / (n_levels - 1))
        return cls((*(sigma_min * ratio**i for i in range(n_levels - 1)), sigma_max))

    @property
    def t_min(self) -> float:
        return 0.0

    @property
    def t_max(self) -> float:
        return float(len(self.levels) - 1)

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        log_levels = torch.tensor(self.levels, dtype=t.dtype, device=t.device).log()
        below = t.detach().floor().clamp(0, len(self.levels) - 2).long()
        fraction = t - below
        return torch.exp((1 - fraction) * log_levels[below] + fraction * log_levels[below + 1])
