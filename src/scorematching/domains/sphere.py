"""The unit sphere and its positive part, in the coordinates of the space around it.

K. V. Mardia, J. T. Kent & A. K. Laha, "Score matching estimators for directional distributions"
(2016): the score is the tangent part of the gradient, P = I − xxᵀ, and the divergence is the
surface divergence, so that div P∇f is the Laplace–Beltrami operator. There is no boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains.checks import (
    TOLERANCE,
    check_columns,
    check_dimension,
    check_inside,
    check_weight_vanishes,
    refuse,
)
from scorematching.domains.domain import Field, tangent_divergence
from scorematching.domains.weights import MinSq, Weight

DEFAULT = MinSq(0.1)


@dataclass(frozen=True)
class Sphere:
    """The unit sphere Sᵈ⁻¹ in ℝᵈ, weight w = 1; rows are directions of unit length.

    P v = v − x (x·v). Lengths may be off by 1e-6, that is by the rounding of single precision or
    of six printed decimals; beyond that rows are refused, not normalised.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "Sphere(d)")

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)`` and every row of unit length within 1e-6."""
        check_columns(x, self.d)
        check_unit_length(x)

    def weight(self, x: Tensor) -> Tensor:
        """1 in every row, ``(n,)``: there is no boundary."""
        return x.new_ones(x.shape[0])

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v − x (x·v), like v."""
        return project_to_sphere(x, v)

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """The surface divergence tr(P ∂v), ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)


@dataclass(frozen=True)
class PositiveSphere:
    """The part of the unit sphere with no negative coordinate, and a weight of x.

    The default weight min(minⱼ xⱼ², 0.1²) falls as the square of the distance from the boundary,
    so that densities ∝ ∏ xⱼ^γ, γ > −1, which are those of square roots of compositions, leave
    nothing there. Weights per coordinate serve as well: at xⱼ = 0 the boundary's normal is the
    coordinate direction itself.

    Parameters
    ----------
    d
        The number of columns.
    weight
        A `Weight` of x, ``(n,)`` or ``(n, d)``.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2; the weight does not vanish at the boundary.
    """

    d: int
    weight: Weight = DEFAULT

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "PositiveSphere(d)")
        sides = (1.0 - torch.eye(self.d, dtype=torch.float64)) / (self.d - 1) ** 0.5
        check_weight_vanishes(
            self.weight, sides, "Use MinSq(c), ProdSq(c), or MinPower(power, cap)."
        )

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, of unit length and nowhere negative."""
        check_columns(x, self.d)
        check_inside(x, x, "every coordinate must be at least 0", "Use Sphere(d) otherwise.")
        check_unit_length(x)

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v − x (x·v), like v."""
        return project_to_sphere(x, v)

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """The surface divergence tr(P ∂v), ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)


def project_to_sphere(x: Tensor, v: Tensor) -> Tensor:
    """v − x (x·v): x ``(n, d)``, v ``(n, d)`` or ``(n, d, m)``."""
    x = x.reshape(*x.shape, *(1,) * (v.ndim - 2))
    return v - x * (x * v).sum(1, keepdim=True)


def check_unit_length(x: Tensor) -> None:
    """Raise `InvalidInput` where a row's length is off 1 by more than 1e-6."""
    length = x.norm(dim=1)
    refuse(
        ~((length - 1).abs() <= TOLERANCE),
        length,
        f"a direction must have unit length within {TOLERANCE:g}",
        "If only the direction counts, normalise: x / x.norm(dim=1, keepdim=True).",
        "length",
    )
