"""The positive orthant [0, ∞)ᵈ: generalised score matching for non-negative data.

A. Hyvärinen, "Some extensions of score matching", CSDA 51 (2007);
S. Yu, M. Drton & A. Shojaie, "Generalized score matching for non-negative data", JMLR 20 (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains.checks import (
    check_columns,
    check_dimension,
    check_inside,
    check_weight_vanishes,
)
from scorematching.domains.domain import Field, tangent_divergence
from scorematching.domains.weights import MinPower, Weight

REMEDY = (
    "Use MinPower(power, cap), Power(p), Log1p(), MinSq(c) or ProdSq(c); a density that itself "
    "falls to zero at the boundary can be matched on Euclidean(d), whose weight is 1."
)
DEFAULT = MinPower(power=1.0, cap=3.0)


@dataclass(frozen=True)
class PositiveOrthant:
    """[0, ∞)ᵈ with a weight of x: the loss is Σⱼ ½ wⱼ sⱼ² + ∂ⱼ(wⱼ sⱼ).

    The default weight min(xⱼ, 3) is the one Yu et al. (2019) advise: linear at the boundary, which
    suffices for a density that is bounded there with a bounded score (a truncated Gaussian), and
    constant far out. Where p ~ x^β at 0, p w s must still vanish there: with w ~ x^q this asks for
    q > 1 − β, so that β ≤ 0 (a gamma density of shape at most one) needs ``MinPower(2, 3)``, which
    serves every β > −1. The cap is in the units of x.

    Zeros are allowed: their coordinate has weight zero. A family whose score is infinite there
    takes them only as far as w s² and ∂(w s) stay finite.

    Parameters
    ----------
    d
        The number of columns.
    weight
        `MinPower`, `Power`, `Log1p`, `MinSq`, `ProdSq`, or a callable of x ``(n, d)`` with values
        ``(n, d)`` or ``(n,)`` that is zero where a coordinate is.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 1; the weight does not vanish at the boundary.
    """

    d: int
    weight: Weight = DEFAULT

    def __post_init__(self) -> None:
        check_dimension(self.d, 1, "PositiveOrthant(d)")
        sides = 1.0 - torch.eye(self.d, dtype=torch.float64)
        check_weight_vanishes(self.weight, sides, REMEDY)

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, finite and nowhere negative."""
        check_columns(x, self.d)
        check_inside(x, x, "every value must be at least 0", "Use Euclidean(d) for signed data.")

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself: every direction is tangent."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """tr ∂v, ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)
