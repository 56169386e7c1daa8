"""The registry of hand-written rules: quadratic objectives that need no automatic differentiation.

A density linear in its parameters has a quadratic score matching objective (Hyvärinen 2007)

    J(θ) = ½ θᵀAθ + bᵀθ + c,    θ̂ = −A⁻¹b,

whatever the domain. `estimation.quadratic` gets A and b of any such family by automatic
differentiation; for a pair of a family and a domain whose A and b have a shorter way, a
module registers a `Statistic` of its own where it is defined:

    @quadratic_rule(Gaussian, Euclidean)
    def _moments(family, domain): return GaussianMoments.of(family.d)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """J(θ) = ½ θᵀAθ + bᵀθ + c, the mean over n rows.

    Parameters
    ----------
    n
        The number of rows.
    A, b, c
        ``(p, p)``, symmetric and positive semi-definite; ``(p,)``; ``()``.
    """

    n: int
    A: Tensor
    b: Tensor
    c: Tensor

    def __call__(self, theta: Tensor) -> Tensor:
        """J(θ), ``()``."""
        return theta @ (self.A @ theta) / 2 + self.b @ theta + self.c

    def gradient(self, theta: Tensor) -> Tensor:
        """∇J(θ) = Aθ + b, ``(p,)``."""
        return self.A @ theta + self.b


class Statistic(Protocol):
    """A summary of rows that determines J: mergeable, so that rows may come in any portions.

    Immutable: `update` and `merge` return the new statistic.
    """

    @property
    def n(self) -> int:
        """The number of rows so far."""

    def update(self, x: Tensor, /) -> Self:
        """With the rows x ``(m, d)`` as well; InvalidInput names a row outside the domain."""

    def merge(self, other: Self, /) -> Self:
        """Of the rows of both."""

    def finalize(self) -> QuadraticForm:
        """J(θ)."""

    def row_gradients(self, x: Tensor, theta: Tensor, /) -> Tensor:
        """gᵢ = Aᵢθ + bᵢ of rows x ``(m, d)``, ``(m, p)``."""


@runtime_checkable
class ExplicitMinimiser(Protocol):
    """A statistic whose minimiser has a shorter and more accurate way than through A and b."""

    def minimiser(self) -> Tensor:
        """θ̂ ``(p,)``; NotIdentified where the rows do not determine it."""

    def objective(self, theta: Tensor, /) -> float:
        """J(θ)."""

    def row_influences(self, x: Tensor, /) -> Tensor:
        """−A⁻¹gᵢ at θ̂ of rows x ``(m, d)``, ``(m, p)``."""


Rule = Callable[[Any, Any], Statistic | None]

_RULES: dict[tuple[type, type], Rule] = {}


def quadratic_rule(family: type, domain: type) -> Callable[[Rule], Rule]:
    """Register a rule for a family on a domain, exactly these types.

    The rule takes the family and the domain and returns the statistic of no rows, or None where it
    does not cover them (a weight that it does not know, say). A subclass may override anything, so
    that it is not covered by the rule of its base.
    """

    def register(rule: Rule) -> Rule:
        _RULES[family, domain] = rule
        return rule

    return register


def rule_for(family: object, domain: object) -> Statistic | None:
    """The hand-written statistic of no rows for a family on a domain, or None."""
    rule = _RULES.get((type(family), type(domain)))
    return rule(family, domain) if rule else None
