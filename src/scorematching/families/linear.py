"""Densities of linear families straight from their statistics: log p = θᵀT(x) + r(x) − log Z."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from scorematching.calculus import gradient
from scorematching.domains import AnyDomain
from scorematching.families.family import Family, LinearFamily, columns
from scorematching.families.supports import contains, zero_outside


@dataclass(frozen=True, eq=False)
class LinearDensity:
    """A linear family at one θ ``(p,)``; normalised where log Z is known.

    Parameters
    ----------
    family
        Gives T and r.
    theta
        ``(p,)``.
    log_normaliser
        log Z(θ) in nats, or None where it is unknown: then `log_density` is up to a constant.
    domain
        Where the density is zero outside; None for the family's own support.
    """

    family: LinearFamily
    theta: Tensor
    log_normaliser: float | None = None
    domain: AnyDomain | None = None

    @property
    def normalised(self) -> bool:
        """Whether log Z is known."""
        return self.log_normaliser is not None

    def log_density(self, x: Tensor) -> Tensor:
        """θᵀT(x) + r(x) − log Z, ``(n,)`` in nats; −∞ outside the domain."""
        rows = columns(x, self.family.d)
        value = self.family.statistics(rows) @ self.theta.to(rows) + self.family.base(rows)
        value = value if self.log_normaliser is None else value - self.log_normaliser
        return value if self.domain is None else zero_outside(value, contains(self.domain, rows))

    def score(self, x: Tensor) -> Tensor:
        """∇ₓ log p(x), like x."""
        return gradient(self.log_density, x)


@dataclass(frozen=True, eq=False)
class FamilyDensity:
    """Any other family at one θ ``(p,)``, up to a constant; zero outside the domain if given."""

    family: Family
    theta: Tensor
    domain: AnyDomain | None = None
    normalised = False

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x; θ) + const, ``(n,)`` in nats."""
        rows = columns(x, self.family.d)
        value = self.family.log_density(rows, self.theta.to(rows))
        return value if self.domain is None else zero_outside(value, contains(self.domain, rows))

    def score(self, x: Tensor) -> Tensor:
        """∇ₓ log p(x), like x."""
        return gradient(self.log_density, x)
