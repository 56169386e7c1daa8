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
        check_rates(self.beta_min, self.beta_max)
        check_times(self.t_min)

    @property
    def t_max(self) -> float:
        return 1.0

    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(-self._integral(t) / 2)

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(-self._integral(t)))

    def _integral(self, t: Tensor) -> Tensor:
        return integral_of_rate(t, self.beta_min, self.beta_max)


def integral_of_rate(t: Tensor, beta_min: float, beta_max: float) -> Tensor:
    """∫₀ᵗ β of β(t) = β_min + t (β_max − β_min)."""
    return t * beta_min + t**2 * (beta_max - beta_min) / 2


def check_rates(beta_min: float, beta_max: float) -> None:
    """Raise `InvalidInput` unless 0 ≤ beta_min < beta_max < ∞."""
    if not 0 <= beta_min < beta_max < float("inf"):
        raise InvalidInput(
            f"expected 0 ≤ beta_min < beta_max < ∞: got beta_min = {beta_min!r}, "
            f"beta_max = {beta_max!r}."
        )


def check_times(t_min: float, t_max: float | None = None) -> None:
    """Raise `InvalidInput` unless 0 < t_min < t_max < 1, or 0 < t_min < 1."""
    if not 0 < t_min < 1:
        raise InvalidInput(f"expected 0 < t_min < 1: got t_min = {t_min!r}.")
    if t_max is not None and not t_min < t_max < 1:
        raise InvalidInput(
            f"expected t_min < t_max < 1: got t_min = {t_min!r}, t_max = {t_max!r}. At t = 1 "
            "nothing is left of the data, and the noise level is infinite."
        )
