"""Boxes {low ≤ x ≤ high}, weighted per coordinate by the distance from the nearer side.

S. Liu, T. Kanamori & D. J. Williams, "Estimating density models with truncation boundaries using
score matching", JMLR 23 (2022), weight by the distance from the boundary; S. Yu, M. Drton &
A. Shojaie, JMLR 20 (2019), cap it, so that rows far inside count alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains.checks import (
    Numbers,
    check_columns,
    check_weight_vanishes,
    numbers,
    refuse,
)
from scorematching.domains.domain import Field, tangent_divergence
from scorematching.domains.weights import MinPower, Weight
from scorematching.errors import InvalidInput

DEFAULT = MinPower(power=1.0, cap=3.0)


@dataclass(frozen=True, init=False, repr=False)
class Box:
    """{lowⱼ ≤ xⱼ ≤ highⱼ}, sides possibly infinite: the loss is Σⱼ ½ wⱼ sⱼ² + ∂ⱼ(wⱼ sⱼ).

    wⱼ is a weight of uⱼ = min(xⱼ − lowⱼ, highⱼ − xⱼ), by default min(uⱼ, 3): with low = 0 and
    high = ∞ that of `PositiveOrthant`, and 3 in a column without sides. The cap is in the units of
    x. A density ∝ u^β, β ≤ 0, at a side (a beta density of shape at most one) needs
    ``MinPower(2, 3)``, as on the orthant. Rows on a side are allowed and weigh nothing in that
    column.

    Parameters
    ----------
    low, high
        A number, or one a column; d is their length, 1 for two numbers. Kept as tuples.
    weight
        A `Weight` of the distances u ``(n, d)``, kept as ``distance_weight``; in a column without
        sides u is infinite.

    Raises
    ------
    InvalidInput
        Not low < high everywhere, lengths differ, or the weight does not vanish at the sides or
        is not finite where there is none.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    distance_weight: Weight

    def __init__(self, low: Numbers, high: Numbers, weight: Weight = DEFAULT) -> None:
        below, above = numbers(low, "low"), numbers(high, "high")
        lengths = {len(each) for each in (below, above) if each.ndim}
        if len(lengths) > 1 or 0 in lengths:
            raise InvalidInput(
                f"low and high must have one number a column: got {low!r} and {high!r}."
            )
        d = max(lengths, default=1)
        below, above = below.expand(d), above.expand(d)
        if not bool((below < above).all()):
            raise InvalidInput(
                f"expected low < high in every column: got low = {below.tolist()}, "
                f"high = {above.tolist()}."
            )
        object.__setattr__(self, "low", tuple(below.tolist()))
        object.__setattr__(self, "high", tuple(above.tolist()))
        object.__setattr__(self, "distance_weight", weight)
        self._check_weight(below, above)

    def __repr__(self) -> str:
        return f"Box(low={self.low!r}, high={self.high!r}, weight={self.distance_weight!r})"

    @property
    def d(self) -> int:
        """Columns of a row."""
        return len(self.low)

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, finite and between the sides."""
        check_columns(x, self.d)
        low, high = x.new_tensor(self.low), x.new_tensor(self.high)
        outside = (x < low) | (x > high)
        if bool(outside.any()):
            j = int(outside.nonzero()[0, 1])
            interval = f"between {low[j].item():g} and {high[j].item():g}"
            refuse(outside, x, f"column {j} must lie {interval}", "Widen the box or drop the row.")

    def distance(self, x: Tensor) -> Tensor:
        """uⱼ = min(xⱼ − lowⱼ, highⱼ − xⱼ), ``(n, d)``."""
        low, high = x.new_tensor(self.low), x.new_tensor(self.high)
        left, right = x - low, high - x
        return torch.where(left <= right, left, right)

    def weight(self, x: Tensor) -> Tensor:
        """The weight of the distances, ``(n, d)`` or ``(n,)``."""
        return self.distance_weight(self.distance(x))

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself: every direction is tangent."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """tr ∂v, ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)

    def _check_weight(self, low: Tensor, high: Tensor) -> None:
        """Zero on each side that there is, and finite in columns without sides."""
        remedy = "Use MinPower(power, cap), or where every column has a side Power(p) or Log1p()."
        inside = ((high - low) / 2).where(low.isfinite() & high.isfinite(), torch.ones_like(low))
        free = low.isinf() & high.isinf()
        inside = torch.where(free, torch.inf, inside)
        if not bool(self.distance_weight(inside[None]).isfinite().all()):
            raise InvalidInput(
                f"the weight {self.distance_weight!r} is not finite where a column has no side. "
                f"{remedy}"
            )
        on_side = torch.where(torch.eye(len(low), dtype=torch.bool), 0.0, inside)[~free]
        if len(on_side):
            check_weight_vanishes(self.distance_weight, on_side, remedy)
