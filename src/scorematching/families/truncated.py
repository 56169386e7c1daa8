"""The Gaussian truncated to a domain: K and η keep their meaning, the constant changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_ndtr, ndtri_exp
from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.families.draws import rejection
from scorematching.families.family import columns
from scorematching.families.normal import GaussianDensity
from scorematching.families.supports import contains, zero_outside
from scorematching.random import uniform


@dataclass(frozen=True, eq=False)
class TruncatedGaussian:
    """exp(−½ xᵀKx + ηᵀx) on a domain, up to a constant; K ``(d, d)``, η ``(d,)``.

    The location K⁻¹η is the mean of the Gaussian before truncation, not of this density, whose
    mean and covariance have no closed form for d > 1.
    """

    precision: Tensor
    linear: Tensor
    domain: AnyDomain
    normalised = False

    @property
    def location(self) -> Tensor:
        """μ = K⁻¹η, ``(d,)``, the mean before truncation."""
        value: Tensor = torch.linalg.solve(self.precision, self.linear)
        return value

    def log_density(self, x: Tensor) -> Tensor:
        """−½ xᵀKx + ηᵀx, ``(n,)`` in nats, up to a constant; −∞ outside the domain."""
        rows = columns(x, len(self.linear))
        quadratic = ((rows @ self.precision.to(rows)) * rows).sum(1)
        value = rows @ self.linear.to(rows) - quadratic / 2
        return zero_outside(value, contains(self.domain, rows))

    def score(self, x: Tensor) -> Tensor:
        """∇ₓ log p(x) = η − Kx, like x."""
        rows = columns(x, len(self.linear))
        return (self.linear.to(rows) - rows @ self.precision.to(rows)).reshape(x.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``, by rejection from the Gaussian before truncation.

        Raises
        ------
        InvalidInput
            K is not positive definite, or fewer than one proposal in 100,000 is accepted, as on
            a surface.
        """
        gaussian = GaussianDensity(self.precision, self.linear)

        def propose(m: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
            x = gaussian.sample(m, source)
            return x, zero_outside(torch.zeros_like(x[:, 0]), contains(self.domain, x))

        return rejection(propose, n, self.linear, generator)


@dataclass(frozen=True)
class TruncatedNormal:
    """N(μ, σ²) truncated to (low, high), one column, with σ² > 0; normalised.

    `location` and `precision` are those before truncation, `mean` and `covariance` those after.
    """

    mu: float
    sigma: float
    low: float
    high: float
    normalised = True

    @property
    def location(self) -> Tensor:
        """μ, ``(1,)``, the mean before truncation."""
        return torch.tensor([self.mu], dtype=torch.float64)

    @property
    def precision(self) -> Tensor:
        """1/σ², ``(1, 1)``."""
        return torch.tensor([[self.sigma**-2]], dtype=torch.float64)

    @property
    def mean(self) -> Tensor:
        """E x = μ + σ (φ(a) − φ(b))/Z, ``(1,)``; a, b the sides in units of σ."""
        first = self._standard_moments()[0]
        return torch.tensor([self.mu + self.sigma * first], dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """Var x = σ² [1 + (aφ(a) − bφ(b))/Z − ((φ(a) − φ(b))/Z)²], ``(1, 1)``."""
        first, second = self._standard_moments()
        return torch.tensor([[self.sigma**2 * (second - first**2)]], dtype=torch.float64)

    @property
    def log_mass(self) -> float:
        """ln Z = ln(Φ(b) − Φ(a)), without cancellation in either tail."""
        return _log_difference(*self._standard_sides())

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x), ``(n,)`` in nats; −∞ outside (low, high)."""
        value = columns(x, 1)[:, 0]
        u = (value - self.mu) / self.sigma
        constant = math.log(self.sigma) + math.log(2 * math.pi) / 2 + self.log_mass
        inside = (value >= self.low) & (value <= self.high)
        return zero_outside(-(u**2) / 2 - constant, inside)

    def score(self, x: Tensor) -> Tensor:
        """∂ₓ log p = −(x − μ)/σ², like x."""
        return -(x - self.mu) / self.sigma**2

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, 1)``, by the inverse of the distribution function."""
        a, b = self._standard_sides()
        flip = a > 0  # in the upper tail the complement is the accurate side
        if flip:
            a, b = -b, -a
        u = uniform((n, 1), torch.empty(0, dtype=torch.float64), generator).numpy()
        # ln(Φ(a) + (1 − u)Z): 1 − u lies in (0, 1], where the logarithm is finite.
        log_cdf = np.logaddexp(log_ndtr(a), np.log1p(-u) + _log_difference(a, b))
        draw = np.clip(ndtri_exp(np.minimum(log_cdf, 0.0)), a, b)
        return torch.from_numpy(self.mu + self.sigma * (-draw if flip else draw))

    def _standard_sides(self) -> tuple[float, float]:
        return (self.low - self.mu) / self.sigma, (self.high - self.mu) / self.sigma

    def _standard_moments(self) -> tuple[float, float]:
        """E u and E u² of u = (x − μ)/σ."""
        a, b = self._standard_sides()
        at_a, at_b = (math.exp(_log_phi(side) - self.log_mass) for side in (a, b))
        edge_a = a * at_a if math.isfinite(a) else 0.0
        edge_b = b * at_b if math.isfinite(b) else 0.0
        return at_a - at_b, 1 + edge_a - edge_b


def _log_phi(u: float) -> float:
    return -u * u / 2 - math.log(2 * math.pi) / 2


def _log_difference(a: float, b: float) -> float:
    """ln(Φ(b) − Φ(a)), in the lower tail, where both are accurate."""
    if a > 0:
        a, b = -b, -a
    upper, lower = float(log_ndtr(b)), float(log_ndtr(a))
    return upper + math.log1p(-math.exp(lower - upper))
