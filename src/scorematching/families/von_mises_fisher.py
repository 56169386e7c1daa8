"""The von Mises–Fisher distribution of directions: log p = κμᵀx on the unit sphere.

K. V. Mardia, J. T. Kent & A. K. Laha, "Score matching estimators for directional distributions"
(2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Sphere
from scorematching.errors import InvalidInput
from scorematching.families.bessel import bessel_ratio, log_bessel_over_power
from scorematching.families.draws import directions, log_gamma_variates, rejection, unit
from scorematching.families.family import PrescribedFit, check_dimension, check_theta, columns
from scorematching.families.triangles import vector_names
from scorematching.random import fresh


@dataclass(frozen=True)
class VonMisesFisher:
    """log p(x; θ) = θᵀx + const on the unit sphere of ℝᵈ, θ = κμ.

    Parameters
    ----------
    d
        Number of columns of a row, a unit vector.
    direction_first
        The hybrid estimator of Mardia, Kent & Laha (2016): μ̂ = x̄/‖x̄‖, which is maximum
        likelihood, then κ by score matching along it. θ is κμ all the same; ``model.kappa`` and
        ``model.mean_direction`` take it apart. Otherwise κμ is matched jointly.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2.
    """

    d: int
    direction_first: bool = False

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "VonMisesFisher")

    @property
    def names(self) -> tuple[str, ...]:
        """kappa_mu[1], …, kappa_mu[d]."""
        return vector_names("kappa_mu", self.d)

    @property
    def domain(self) -> AnyDomain:
        """The unit sphere."""
        return Sphere(self.d)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = x: ``(n, d)`` → ``(n, d)``."""
        return columns(x, self.d)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    @property
    def prescribes(self) -> bool:
        """Whether the direction comes first."""
        return self.direction_first

    def fit(self, x: Tensor) -> PrescribedFit:
        """Direction first, then κ̂ = (d − 1) mean t/(1 − mean t²) with t = μ̂ᵀx.

        The influence of a row is μ̂ IF_κ + κ̂ IF_μ, IF_μ = (x − μ̂t)/‖x̄‖ and
        IF_κ = [(d − 1)t − (1 − t²)κ̂]/(1 − mean t²). By symmetry an error in μ̂ does not reach κ̂
        to first order, so that μ̂ᵀ Cov(θ̂) μ̂ is the variance of κ̂ with the direction known.

        Raises
        ------
        InvalidInput
            x̄ = 0, which has no direction, or all rows are equal.
        """
        rows = columns(x, self.d)
        centre = rows.mean(0)
        length = centre.norm()
        if not length > 0:
            raise InvalidInput(
                "the mean of the rows is zero and has no direction: got balanced rows. Use "
                "Watson(d) or Bingham(d) for axes, or direction_first=False."
            )
        mu = centre / length
        t = rows @ mu
        curvature = 1 - (t**2).mean()
        if not curvature > len(t) * torch.finfo(t.dtype).eps:
            raise InvalidInput(
                "the concentration is infinite: all rows are the same direction. Estimate from "
                "rows that differ."
            )
        kappa = (self.d - 1) * t.mean() / curvature
        of_kappa = ((self.d - 1) * t - (1 - t**2) * kappa) / curvature
        of_mu = (rows - t[:, None] * mu) / length
        error = of_kappa.std().item() / math.sqrt(len(t))
        note = (
            "direction first, μ̂ = x̄/‖x̄‖, then κ by score matching (Mardia, Kent & Laha 2016): "
            f"kappa = {kappa.item():.6g}, standard error {error:.6g} (divisor n − 1)"
        )
        return PrescribedFit(kappa * mu, of_kappa[:, None] * mu + kappa * of_mu, note)

    def model(self, theta: Tensor) -> VonMisesFisherDensity:
        """The density at θ; every θ has one."""
        return VonMisesFisherDensity(check_theta(theta, self.names))


@dataclass(frozen=True, eq=False)
class VonMisesFisherDensity:
    """Von Mises–Fisher at θ = κμ ``(d,)``, a density in the surface measure of the sphere."""

    theta: Tensor
    normalised = True

    @property
    def kappa(self) -> float:
        """κ = ‖θ‖."""
        return float(self.theta.norm())

    @property
    def mean_direction(self) -> Tensor:
        """μ = θ/‖θ‖, ``(d,)``; the first axis where θ = 0, of which every direction is one."""
        if self.kappa == 0:
            return torch.eye(len(self.theta), dtype=self.theta.dtype)[0]
        return unit(self.theta)

    @property
    def mean_resultant_length(self) -> float:
        """‖E x‖ = I_{d/2}(κ)/I_{d/2−1}(κ)."""
        return bessel_ratio(len(self.theta) / 2 - 1, self.kappa)

    @property
    def mean(self) -> Tensor:
        """E x, along μ, ``(d,)``."""
        return self.mean_resultant_length * self.mean_direction

    @property
    def covariance(self) -> Tensor:
        """Along μ: 1 − (d − 1)ρ − R², across it ρ = R/κ, R = ‖E x‖; ``(d, d)``."""
        d, mu, length = len(self.theta), self.mean_direction, self.mean_resultant_length
        across = length / self.kappa if self.kappa > 1e-8 else 1 / d
        along = 1 - (d - 1) * across - length**2
        axis = torch.outer(mu, mu)
        return along * axis + across * (torch.eye(d, dtype=mu.dtype) - axis)

    @property
    def log_normaliser(self) -> float:
        """log Z = ln[(2π)^{d/2} I_ν(κ)/κᵛ], ν = d/2 − 1, in nats."""
        half = len(self.theta) / 2
        return half * math.log(2 * math.pi) + log_bessel_over_power(half - 1, self.kappa)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = θᵀx − log Z, ``(n,)`` in nats."""
        return columns(x, len(self.theta)) @ self.theta.to(x) - self.log_normaliser

    def score(self, x: Tensor) -> Tensor:
        """θ in every row, like x: the gradient in all d columns, which a domain projects."""
        return self.theta.to(x).expand_as(columns(x, len(self.theta)))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``, by the method of Wood (1994)."""
        d, k = len(self.theta), self.kappa
        b = (d - 1) / (2 * k + math.sqrt(4 * k * k + (d - 1) ** 2))
        x0 = (1 - b) / (1 + b)
        c = k * x0 + (d - 1) * (math.log(4 * b) - 2 * math.log1p(b))  # 1 − x0² = 4b/(1 + b)²
        halves = torch.full((2,), (d - 1) / 2, dtype=self.theta.dtype)

        def propose(m: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
            z = log_gamma_variates(halves, m, source).softmax(1)[:, :1]
            w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
            return w, k * w[:, 0] + (d - 1) * torch.log1p(-x0 * w[:, 0]) - c

        generator = generator if generator is not None else fresh()
        w = rejection(propose, n, self.theta, generator)
        across = (1 - w**2).clamp(min=0).sqrt() * directions(n, d - 1, self.theta, generator)
        return reflect(torch.cat([w, across], dim=1), self.mean_direction)


def reflect(x: Tensor, mu: Tensor) -> Tensor:
    """Rows x ``(n, d)`` under the reflection that takes the first axis to μ ``(d,)``."""
    difference = torch.eye(len(mu), dtype=mu.dtype)[0] - mu
    if not bool(difference.any()):
        return x
    across = unit(difference)
    return x - 2 * (x @ across)[:, None] * across
