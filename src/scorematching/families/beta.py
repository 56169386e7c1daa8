"""The beta distribution on (0, 1): log p = (α − 1) log x + (β − 1) log(1 − x)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Box, Power
from scorematching.families.checks import check_above
from scorematching.families.draws import log_gamma_variates
from scorematching.families.family import check_theta, columns
from scorematching.families.supports import zero_outside


@dataclass(frozen=True)
class Beta:
    """log p(x; α, β) = (α − 1) log x + (β − 1) log(1 − x) + const on (0, 1).

    Linear with T = (log x, log(1 − x)) and r = −log x − log(1 − x). The weight min(x, 1 − x)² of
    its domain serves every α, β > 0.
    """

    @property
    def d(self) -> int:
        """One column."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """alpha, beta."""
        return ("alpha", "beta")

    @property
    def domain(self) -> AnyDomain:
        """(0, 1) with weight min(x, 1 − x)²."""
        return Box(0.0, 1.0, Power(2.0))

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (log x, log(1 − x)): ``(n, 1)`` → ``(n, 2)``."""
        x = columns(x, 1)
        return torch.cat([x.log(), torch.log1p(-x)], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = −log x − log(1 − x)."""
        value = columns(x, 1)[:, 0]
        return -value.log() - torch.log1p(-value)

    def model(self, theta: Tensor) -> BetaDensity:
        """Beta(α, β).

        Raises
        ------
        InvalidInput
            α or β is not positive.
        """
        alpha, beta = check_theta(theta, self.names).tolist()
        return BetaDensity(alpha, beta)


@dataclass(frozen=True)
class BetaDensity:
    """Beta with shapes α and β, both positive."""

    alpha: float
    beta: float
    normalised = True

    def __post_init__(self) -> None:
        remedy = "check that the rows lie between 0 and 1, or fix the parameter."
        check_above(self.alpha, 0, "alpha", remedy)
        check_above(self.beta, 0, "beta", remedy)

    @property
    def mean(self) -> Tensor:
        """α/(α + β), ``(1,)``."""
        return torch.tensor([self.alpha / (self.alpha + self.beta)], dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """αβ/[(α + β)²(α + β + 1)], ``(1, 1)``."""
        total = self.alpha + self.beta
        variance = self.alpha * self.beta / (total**2 * (total + 1))
        return torch.tensor([[variance]], dtype=torch.float64)

    def log_density(self, x: Tensor) -> Tensor:
        """(α − 1) log x + (β − 1) log(1 − x) − ln B(α, β), ``(n,)`` in nats; −∞ outside."""
        value = columns(x, 1)[:, 0]
        total = math.lgamma(self.alpha + self.beta)
        constant = total - math.lgamma(self.alpha) - math.lgamma(self.beta)
        kernel = (self.alpha - 1) * value.log() + (self.beta - 1) * torch.log1p(-value)
        return zero_outside(constant + kernel, (value >= 0) & (value <= 1))

    def score(self, x: Tensor) -> Tensor:
        """∂ₓ log p = (α − 1)/x − (β − 1)/(1 − x), like x."""
        return (self.alpha - 1) / x - (self.beta - 1) / (1 - x)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws G_α/(G_α + G_β), ``(n, 1)``."""
        shape = torch.tensor([self.alpha, self.beta], dtype=torch.float64)
        return log_gamma_variates(shape, n, generator).softmax(1)[:, :1]
