"""Univariate polynomial exponential families: log p = Σ_k θ_k xᵏ.

A few modes and skewness, in a closed form that maximum likelihood does not have; log Z, which
score matching never needs, comes by quadrature for the fitted density.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.polynomial import Polynomial
from scipy.integrate import quad
from torch import Tensor

from scorematching.domains import AnyDomain, Euclidean
from scorematching.errors import InvalidInput
from scorematching.families.checks import STANDS
from scorematching.families.family import check_theta, columns
from scorematching.families.supports import interval_of, zero_outside

NEGLIGIBLE = 60.0  # nats below the mode: e⁻⁶⁰ = 1e-26 of its density


@dataclass(frozen=True)
class PolynomialExponential:
    """log p(x; θ) = θ₁x + θ₂x² + … + θ_m xᵐ + const on ℝ, or on an interval.

    Parameters
    ----------
    degree
        m. A density on ℝ needs it even; on a half-line or an interval it may be odd.

    Raises
    ------
    InvalidInput
        The degree is no positive integer.
    """

    degree: int

    def __post_init__(self) -> None:
        if not isinstance(self.degree, int) or isinstance(self.degree, bool) or self.degree < 1:
            raise InvalidInput(f"the degree must be a positive integer: got {self.degree!r}.")

    @property
    def d(self) -> int:
        """One column."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """theta[1], …, theta[m], the coefficients of x, …, xᵐ."""
        return tuple(f"theta[{k + 1}]" for k in range(self.degree))

    @property
    def domain(self) -> AnyDomain:
        """ℝ."""
        return Euclidean(1)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (x, x², …, xᵐ): ``(n, 1)`` → ``(n, m)``."""
        x = columns(x, 1)
        return torch.cat([x ** (k + 1) for k in range(self.degree)], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, 1)[:, 0])

    def model(self, theta: Tensor) -> PolynomialDensity:
        """The density on ℝ, normalised by quadrature.

        Raises
        ------
        InvalidInput
            The degree is odd or its coefficient not negative: the integral over ℝ is infinite.
        """
        return polynomial_density(check_theta(theta, self.names))

    def model_on(self, theta: Tensor, domain: AnyDomain) -> PolynomialDensity:
        """The density on an interval, normalised by quadrature; raises as `model` does."""
        return polynomial_density(check_theta(theta, self.names), *interval_of(domain))


@dataclass(frozen=True, eq=False)
class PolynomialDensity:
    """exp(Σ_k θ_k xᵏ − log Z) on (low, high), with its mean ``(1,)`` and covariance ``(1, 1)``."""

    theta: Tensor
    low: float
    high: float
    log_normaliser: float
    mean: Tensor
    covariance: Tensor
    normalised = True

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x), ``(n,)`` in nats; −∞ outside (low, high)."""
        value = columns(x, 1)[:, 0]
        total = torch.zeros_like(value)
        for coefficient in reversed(self.theta.tolist()):
            total = (total + coefficient) * value
        inside = (value >= self.low) & (value <= self.high)
        return zero_outside(total - self.log_normaliser, inside)

    def score(self, x: Tensor) -> Tensor:
        """∂ₓ log p = Σ_k k θ_k xᵏ⁻¹, like x."""
        total = torch.zeros_like(x)
        for k in range(len(self.theta), 0, -1):
            total = total * x + k * self.theta[k - 1].item()
        return total


def polynomial_density(
    theta: Tensor, low: float = -math.inf, high: float = math.inf
) -> PolynomialDensity:
    """exp(Σ_k θ_k xᵏ)/Z on (low, high); Z and the moments by adaptive quadrature, to about 1e-10.

    Raises
    ------
    InvalidInput
        The integral is infinite.
    """
    degree, leading = len(theta), theta[-1].item()
    for side, sign in ((high, 1), (low, (-1) ** degree)):
        if math.isinf(side) and not leading * sign < 0:
            raise InvalidInput(
                f"the polynomial must fall to −∞ towards {side:g} for a density: got "
                f"theta[{degree}] = {leading:.6g}. {STANDS}take an even degree, or estimate on a "
                "bounded Box(low, high)."
            )
    exponent = Polynomial([0.0, *theta.tolist()])
    peak, breaks = _breakpoints(exponent, low, high)

    def moment(power: int, centre: float, tolerance: float = 0.0) -> float:
        return sum(
            quad(
                lambda x: (x - centre) ** power * math.exp(exponent(x) - peak),
                *piece,
                epsabs=tolerance * (breaks[-1] - breaks[0]) ** power,
                epsrel=1e-11,
                limit=200,
            )[0]
            for piece in pairwise(breaks)
        )

    middle = (breaks[0] + breaks[-1]) / 2
    mass = moment(0, 0.0)
    mean = middle + moment(1, middle, 1e-13 * mass) / mass
    variance = moment(2, mean, 1e-13 * mass) / mass
    return PolynomialDensity(
        theta,
        low,
        high,
        peak + math.log(mass),
        torch.tensor([mean], dtype=torch.float64),
        torch.tensor([[variance]], dtype=torch.float64),
    )


def _breakpoints(exponent: Polynomial, low: float, high: float) -> tuple[float, list[float]]:
    """The largest value of the exponent, and the ends of the pieces on which it is monotone.

    What lies more than 60 nats below the largest value is cut off.
    """
    critical = _real_roots(exponent.deriv(), low, high)
    ends = [side for side in (low, high) if math.isfinite(side)]
    peak = max(exponent(x) for x in [*critical, *ends])
    cuts = _real_roots(exponent - (peak - NEGLIGIBLE), low, high)
    breaks = sorted({*critical, *ends, *cuts})
    kept = [x for x in breaks if exponent(x) > peak - NEGLIGIBLE - 1]
    return peak, kept


def _real_roots(polynomial: Polynomial, low: float, high: float) -> list[float]:
    """The real roots strictly between low and high."""
    trimmed = polynomial.trim()
    if trimmed.degree() < 1:
        return []
    roots = np.asarray(trimmed.roots(), dtype=np.complex128)
    real = roots.real[np.abs(roots.imag) <= 1e-7 * (1 + np.abs(roots.real))]
    return [float(x) for x in real if low < x < high]
