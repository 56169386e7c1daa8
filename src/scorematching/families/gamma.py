"""The gamma distribution on (0, ∞): log p = (α − 1) log x − βx."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, PositiveOrthant, Power
from scorematching.families.checks import check_above
from scorematching.families.draws import log_gamma_variates
from scorematching.families.family import check_theta, columns
from scorematching.families.supports import zero_outside


@dataclass(frozen=True)
class Gamma:
    """log p(x; α, β) = (α − 1) log x − βx + const on (0, ∞): shape α, rate β, in this order.

    Linear with T = (log x, −x) and r = −log x. The weight x² of its domain makes the objective
    that of log x, serves every α > 0, and gives the moment estimators β̂ = x̄/s², α̂ = β̂x̄.
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
        """(0, ∞) with weight x²."""
        return PositiveOrthant(1, weight=Power(2.0))

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (log x, −x): ``(n, 1)`` → ``(n, 2)``."""
        x = columns(x, 1)
        return torch.cat([x.log(), -x], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = −log x."""
        return -columns(x, 1)[:, 0].log()

    def model(self, theta: Tensor) -> GammaDensity:
        """Gamma(α, β).

        Raises
        ------
        InvalidInput
            α or β is not positive.
        """
        alpha, beta = check_theta(theta, self.names).tolist()
        return GammaDensity(alpha, beta)


@dataclass(frozen=True)
class GammaDensity:
    """Gamma with shape α and rate β, both positive."""

    alpha: float
    beta: float
    normalised = True

    def __post_init__(self) -> None:
        remedy = "check that the rows are positive, or fix the parameter."
        check_above(self.alpha, 0, "alpha", remedy)
        check_above(self.beta, 0, "beta", remedy)

    @property
    def mean(self) -> Tensor:
        """α/β, ``(1,)``."""
        return torch.tensor([self.alpha / self.beta], dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """α/β², ``(1, 1)``."""
        return torch.tensor([[self.alpha / self.beta**2]], dtype=torch.float64)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = α log β − ln Γ(α) + (α − 1) log x − βx, ``(n,)`` in nats; −∞ for x < 0."""
        value = columns(x, 1)[:, 0]
        constant = self.alpha * math.log(self.beta) - math.lgamma(self.alpha)
        kernel = (self.alpha - 1) * value.log() - self.beta * value
        return zero_outside(constant + kernel, value >= 0)

    def score(self, x: Tensor) -> Tensor:
        """∂ₓ log p = (α − 1)/x − β, like x."""
        return (self.alpha - 1) / x - self.beta

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, 1)``."""
        shape = torch.tensor([self.alpha], dtype=torch.float64)
        return log_gamma_variates(shape, n, generator).exp() / self.beta
