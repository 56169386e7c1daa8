"""The Weibull distribution on (0, ∞): log p = log k − k log λ + (k − 1) log x − (x/λ)ᵏ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, PositiveOrthant, Power
from scorematching.families.checks import check_above
from scorematching.families.family import check_theta, columns
from scorematching.families.supports import zero_outside
from scorematching.random import uniform

EULER = 0.5772156649015329


@dataclass(frozen=True)
class Weibull:
    """log p(x; k, λ) = (k − 1) log x − (x/λ)ᵏ + const on (0, ∞): shape k, scale λ.

    Not linear in its parameters. The weight x² of its domain makes the objective that of log x
    and serves every k > 0.
    """

    @property
    def d(self) -> int:
        """One column."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """k, lambda."""
        return ("k", "lambda")

    @property
    def domain(self) -> AnyDomain:
        """(0, ∞) with weight x²."""
        return PositiveOrthant(1, weight=Power(2.0))

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Both positive."""
        return ((0.0, math.inf), (0.0, math.inf))

    def log_density(self, x: Tensor, theta: Tensor) -> Tensor:
        """log p(x; θ), normalised, ``(n,)`` in nats."""
        k, scale = theta[0], theta[1]
        log_ratio = columns(x, 1)[:, 0].log() - scale.log()
        return k.log() - scale.log() + (k - 1) * log_ratio - (k * log_ratio).exp()

    def starts(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """From the moments of log x, whose mean is ln λ − γ/k and variance π²/(6k²); ``(2, 2)``.

        The second start is the exponential distribution of the same mean.
        """
        value = columns(x, 1)[:, 0]
        logs = value[value > 0].log()
        spread = logs.std(correction=0).clamp(min=1e-3)
        k = math.pi / (math.sqrt(6) * spread)
        moments = torch.stack([k, (logs.mean() + EULER / k).exp()])
        return torch.stack([moments, torch.stack([torch.ones_like(k), value.mean()])])

    def model(self, theta: Tensor) -> WeibullDensity:
        """Weibull(k, λ).

        Raises
        ------
        InvalidInput
            k or λ is not positive.
        """
        k, scale = check_theta(theta, self.names).tolist()
        return WeibullDensity(k, scale)


@dataclass(frozen=True)
class WeibullDensity:
    """Weibull with shape k and scale λ, both positive."""

    k: float
    scale: float
    normalised = True

    def __post_init__(self) -> None:
        check_above(self.k, 0, "k", "check that the rows are positive, or fix k.")
        check_above(self.scale, 0, "lambda", "check that the rows are positive, or fix lambda.")

    @property
    def mean(self) -> Tensor:
        """λ Γ(1 + 1/k), ``(1,)``."""
        return torch.tensor([self._moment(1)], dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """λ² [Γ(1 + 2/k) − Γ(1 + 1/k)²], ``(1, 1)``."""
        return torch.tensor([[self._moment(2) - self._moment(1) ** 2]], dtype=torch.float64)

    def _moment(self, power: int) -> float:
        return self.scale**power * math.gamma(1 + power / self.k)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = ln(k/λ) + (k − 1) ln(x/λ) − (x/λ)ᵏ, ``(n,)`` in nats; −∞ for x < 0."""
        ratio = columns(x, 1)[:, 0] / self.scale
        value = math.log(self.k / self.scale) + (self.k - 1) * ratio.log() - ratio**self.k
        return zero_outside(value, ratio >= 0)

    def score(self, x: Tensor) -> Tensor:
        """∂ₓ log p = (k − 1)/x − (k/λ)(x/λ)^(k−1), like x."""
        ratio = x / self.scale
        return (self.k - 1) / x - self.k / self.scale * ratio ** (self.k - 1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws λ(−ln U)^(1/k), ``(n, 1)``."""
        like = torch.empty(0, dtype=torch.float64)
        exponential = -torch.log1p(-uniform((n, 1), like, generator))
        return self.scale * exponential ** (1 / self.k)
