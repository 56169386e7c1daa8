"""Pairwise interaction models of non-negative data: log p = −(xᵃ)ᵀK xᵃ/(2a) + ηᵀ(xᵇ − 1)/b.

S. Yu, M. Drton & A. Shojaie, "Generalized score matching for non-negative data", JMLR 20 (2019):
the truncated Gaussian at a = b = 1, the exponential square-root model at ½, with logarithms where
a or b is 0, the log-normal where both are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, MinPower, PositiveOrthant
from scorematching.errors import InvalidInput
from scorematching.families.checks import STANDS, check_above
from scorematching.families.family import (
    FittedDensity,
    check_dimension,
    check_theta,
    columns,
)
from scorematching.families.gaussian import Gaussian
from scorematching.families.normal import GaussianDensity, check_positive_definite
from scorematching.families.supports import zero_outside
from scorematching.families.triangles import (
    interaction_names,
    interaction_parts,
    interaction_theta,
    lower_by_rows,
    vector_names,
)


@dataclass(frozen=True)
class PairwiseInteraction:
    """log p(x; K, η) = −(xᵃ)ᵀK xᵃ/(2a) + ηᵀ(xᵇ − 1)/b + const on the positive orthant.

    For a = 0 the first term is −½(log x)ᵀK log x, for b = 0 the second is ηᵀlog x. θ is K's lower
    triangle row by row (K₁₁, K₂₁, K₂₂, …), then η.

    Parameters
    ----------
    d
        Number of columns of a row.
    a, b
        The powers, at least 0; ½ and ½ is the exponential square-root model.

    Raises
    ------
    InvalidInput
        d is no positive integer, or a power is negative or not finite.
    """

    d: int
    a: float = 0.5
    b: float = 0.5

    def __post_init__(self) -> None:
        check_dimension(self.d, 1, "PairwiseInteraction")
        for name, power in (("a", self.a), ("b", self.b)):
            if not 0 <= power < math.inf:
                raise InvalidInput(
                    f"the power {name} must be at least 0 and finite: got {power!r}. "
                    "0 stands for the logarithm."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """K[1,1], K[2,1], K[2,2], …, eta[1], …, eta[d]."""
        return interaction_names(self.d)

    @property
    def domain(self) -> AnyDomain:
        """The positive orthant; weight min(x, 3) to the power 2 − m, at least 1, m = min(a, b).

        Towards zero the score grows as x^{m−1} and ∂(w s), w = x^q, as x^{q+m−2}, whose square has
        a mean only for q > 3/2 − m: with w = min(x, 3) the estimates of the square-root model have
        no variance. 2 − m is the power that Yu et al. (2019) advise.
        """
        return PositiveOrthant(self.d, weight=MinPower(max(1.0, 2 - min(self.a, self.b)), 3.0))

    def statistics(self, x: Tensor) -> Tensor:
        """T(x) = (−yᵢ²/(2a), −yᵢyⱼ/a; (xᵇ − 1)/b), y = xᵃ: ``(n, d)`` → ``(n, p)``."""
        x = columns(x, self.d)
        i, j = lower_by_rows(self.d)
        y, linear = powers(x, self.a, self.b)
        scale = self.a if self.a else 1.0
        factor = torch.where(i == j, -0.5, -1.0).to(x) / scale
        return torch.cat([factor * y[:, i] * y[:, j], linear], dim=1)

    def base(self, x: Tensor) -> Tensor:
        """r(x) = 0."""
        return torch.zeros_like(columns(x, self.d)[:, 0])

    def theta(self, interaction: Tensor, linear: Tensor) -> Tensor:
        """θ ``(p,)`` of K ``(d, d)`` and η ``(d,)``."""
        return interaction_theta(interaction, linear)

    def matrices(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """K ``(d, d)`` and η ``(d,)`` of θ ``(p,)``."""
        return interaction_parts(check_theta(theta, self.names), self.d)

    def model(self, theta: Tensor) -> FittedDensity:
        """The density at θ: log-normal at a = b = 0, a truncated Gaussian at a = b = 1.

        Raises
        ------
        InvalidInput
            K is not positive definite; some ηⱼ ≤ −1 where b = 0 < a; some ηⱼ > 0 where b > 2a; or
            K − diag η is not positive definite where b = 2a > 0.
        """
        interaction, linear = self.matrices(theta)
        check_positive_definite(interaction)
        if self.a == self.b == 1:
            return Gaussian(self.d).model_on(theta, self.domain)
        if self.a == self.b == 0:
            return LogNormalDensity(GaussianDensity(interaction, linear + 1))
        for name, value in zip(vector_names("eta", self.d), linear.tolist(), strict=True):
            if self.b == 0:
                check_above(value, -1, name, "fix the parameter, or take b > 0.")
            if self.b > 2 * self.a and value > 0:
                raise InvalidInput(
                    f"{name} must not be positive where b > 2a, since the density grows for large "
                    f"x: got {value:.6g}. {STANDS}fix the parameter, or take b ≤ 2a."
                )
        if self.b == 2 * self.a:
            check_positive_definite(interaction - linear.diag(), "K − diag(eta), as b = 2a,")
        return PairwiseDensity(self, interaction, linear)


def powers(x: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    """xᵃ and (xᵇ − 1)/b of rows x, the logarithm where a power is 0."""
    return x**a if a else x.log(), (x**b - 1) / b if b else x.log()


@dataclass(frozen=True, eq=False)
class PairwiseDensity:
    """A pairwise interaction density with K ``(d, d)`` and η ``(d,)``, up to a constant."""

    family: PairwiseInteraction
    precision: Tensor
    linear: Tensor
    normalised = False

    def log_density(self, x: Tensor) -> Tensor:
        """−(xᵃ)ᵀK xᵃ/(2a) + ηᵀ(xᵇ − 1)/b, ``(n,)`` in nats, up to a constant; −∞ if xⱼ < 0."""
        a = self.family.a
        rows = columns(x, self.family.d)
        y, linear = powers(rows, a, self.family.b)
        quadratic = ((y @ self.precision.to(rows)) * y).sum(1) / (2 * a if a else 2)
        return zero_outside(linear @ self.linear.to(rows) - quadratic, (rows >= 0).all(1))

    def score(self, x: Tensor) -> Tensor:
        """−xᵃ⁻¹ (Kxᵃ) + η xᵇ⁻¹, like x."""
        a, b = self.family.a, self.family.b
        rows = columns(x, self.family.d)
        y = powers(rows, a, b)[0]
        pull = rows ** (a - 1) * (y @ self.precision.to(rows))
        return (self.linear.to(rows) * rows ** (b - 1) - pull).reshape(x.shape)


@dataclass(frozen=True, eq=False)
class LogNormalDensity:
    """The density of x = e^y per column, y Gaussian: log p(x) = log p_y(log x) − Σ log xⱼ."""

    logarithms: GaussianDensity
    normalised = True

    @property
    def precision(self) -> Tensor:
        """K, the precision of log x, ``(d, d)``."""
        return self.logarithms.precision

    @property
    def location(self) -> Tensor:
        """E log x = K⁻¹(η + 1), ``(d,)``."""
        return self.logarithms.location

    @property
    def mean(self) -> Tensor:
        """E x = exp(μ + ½ diag Σ), ``(d,)``."""
        return (self.location + self.logarithms.covariance.diagonal() / 2).exp()

    @property
    def covariance(self) -> Tensor:
        """E xᵢ E xⱼ (e^{Σᵢⱼ} − 1), ``(d, d)``."""
        return torch.outer(self.mean, self.mean) * torch.expm1(self.logarithms.covariance)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x), ``(n,)`` in nats; −∞ unless x > 0."""
        rows = columns(x, len(self.location))
        logs = rows.log()
        return zero_outside(self.logarithms.log_density(logs) - logs.sum(1), (rows > 0).all(1))

    def score(self, x: Tensor) -> Tensor:
        """(∇ log p_y(log x) − 1)/x, like x."""
        rows = columns(x, len(self.location))
        return ((self.logarithms.score(rows.log()) - 1) / rows).reshape(x.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``."""
        return self.logarithms.sample(n, generator).exp()
