"""The von Mises distribution of angles: log p = κ cos(φ − μ).

K. V. Mardia, J. T. Kent & A. K. Laha, "Score matching estimators for directional distributions"
(2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Circle
from scorematching.families.bessel import bessel_ratio, log_bessel_over_power
from scorematching.families.draws import rejection
from scorematching.families.family import check_theta, columns
from scorematching.random import uniform


@dataclass(frozen=True)
class VonMises:
    """log p(φ; θ) = θ₁ cos φ + θ₂ sin φ + const, θ = κ(cos μ, sin μ), of angles in radians.

    Rows are ``(n, 1)`` or ``(n,)``. The same points as unit vectors belong to
    ``VonMisesFisher(2)``, with the same estimate.
    """

    @property
    def d(self) -> int:
        """One column, the angle."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """kappa_mu[1], kappa_mu[2]: κ cos μ and κ sin μ."""
        return ("kappa_mu[1]", "kappa_mu[2]")

    @property
    def domain(self) -> AnyDomain:
        """The circle."""
        return Circle()

    def statistics(self, x: Tensor) -> Tensor:
        """T(φ) = (cos φ, sin φ): ``(n, 1)`` → ``(n, 2)``."""
        x = columns(x, 1)
        return torch.cat([x.cos(), x.sin()], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(φ) = 0."""
        return torch.zeros_like(columns(x, 1)[:, 0])

    def model(self, theta: Tensor) -> VonMisesDensity:
        """The density at θ; every θ has one."""
        c, s = check_theta(theta, self.names).tolist()
        return VonMisesDensity(math.hypot(c, s), math.atan2(s, c))


@dataclass(frozen=True)
class VonMisesDensity:
    """Von Mises with concentration κ ≥ 0 and mean direction μ, in radians."""

    kappa: float
    mean_direction: float
    normalised = True

    @property
    def location(self) -> Tensor:
        """μ in radians, ``(1,)``."""
        return torch.tensor([self.mean_direction], dtype=torch.float64)

    @property
    def mean_resultant_length(self) -> float:
        """|E e^{iφ}| = I₁(κ)/I₀(κ)."""
        return bessel_ratio(0, self.kappa)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(φ) = κ cos(φ − μ) − ln 2π I₀(κ), ``(n,)`` in nats."""
        constant = math.log(2 * math.pi) + log_bessel_over_power(0, self.kappa)
        return self.kappa * torch.cos(columns(x, 1)[:, 0] - self.mean_direction) - constant

    def score(self, x: Tensor) -> Tensor:
        """∂ log p/∂φ = −κ sin(φ − μ), like x."""
        return -self.kappa * torch.sin(x - self.mean_direction)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws in (−π, π], ``(n, 1)``, by the method of Best & Fisher (1979)."""
        k = self.kappa
        # r = 1/ρ − … rearranged so that nothing cancels for small κ.
        tau = 1 + math.sqrt(1 + 4 * k * k)
        rho = (tau - math.sqrt(2 * tau)) / (2 * k) if k > 1e-6 else k / 2
        r = (1 + rho * rho) / (2 * rho) if rho > 0 else math.inf
        like = torch.empty(0, dtype=torch.float64)

        def propose(m: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
            u = uniform((m, 2), like, source)
            z = torch.cos(math.pi * u[:, 0])
            f = (1 + r * z) / (r + z) if math.isfinite(r) else z
            c = k * (r - f) if math.isfinite(r) else torch.ones_like(f)
            angle = torch.where(u[:, 1] < 0.5, -1.0, 1.0) * f.clamp(-1, 1).acos()
            return angle[:, None], c.log() + 1 - c

        angle = self.mean_direction + rejection(propose, n, like, generator)
        return math.pi - torch.remainder(math.pi - angle, 2 * math.pi)
