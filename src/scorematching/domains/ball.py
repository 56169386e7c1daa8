"""The ball {‖x − centre‖ ≤ radius}, weighted by the distance from the sphere around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from scorematching.domains.checks import (
    Numbers,
    check_columns,
    check_dimension,
    check_nearest_weight,
    nearest_weight,
    numbers,
    refuse,
)
from scorematching.domains.domain import Field, tangent_divergence
from scorematching.domains.weights import MinPower, Weight
from scorematching.errors import InvalidInput

DEFAULT = MinPower(power=1.0, cap=3.0)


@dataclass(frozen=True, init=False, repr=False)
class Ball:
    """{‖x − centre‖ ≤ radius} in ℝᵈ: the loss is ½ w‖s‖² + ∇·(w s).

    w is a weight of the distance u = radius − ‖x − centre‖ from the boundary, by default min(u, 3)
    in the units of x: linear at the boundary, which suffices for a density that is bounded there
    with a bounded score, and constant far inside, where distance tells nothing.

    Parameters
    ----------
    d
        The number of columns.
    radius
        Positive and finite.
    centre
        A number, or one a column; kept as a tuple.
    weight
        A `Weight` of the distance u ``(n, 1)``, kept as ``distance_weight``.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 1, the radius is not positive and finite, the centre has
        another length than d or is not finite, or the weight does not vanish at the boundary.
    """

    d: int
    radius: float
    centre: tuple[float, ...]
    distance_weight: Weight

    def __init__(
        self, d: int, radius: float = 1.0, centre: Numbers = 0.0, weight: Weight = DEFAULT
    ) -> None:
        check_dimension(d, 1, "Ball(d)")
        if not 0 < radius < math.inf:
            raise InvalidInput(f"radius must be positive and finite: got {radius!r}.")
        point = numbers(centre, "centre")
        if (point.ndim and len(point) != d) or not bool(point.isfinite().all()):
            raise InvalidInput(f"centre must be one finite number, or {d}: got {centre!r}.")
        check_nearest_weight(weight)
        object.__setattr__(self, "d", d)
        object.__setattr__(self, "radius", float(radius))
        object.__setattr__(self, "centre", tuple(point.expand(d).tolist()))
        object.__setattr__(self, "distance_weight", weight)

    def __repr__(self) -> str:
        shape = f"d={self.d}, radius={self.radius}, centre={self.centre}"
        return f"Ball({shape}, weight={self.distance_weight!r})"

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, finite and in the ball, up to rounding."""
        check_columns(x, self.d)
        length = (x - x.new_tensor(self.centre)).norm(dim=1)
        refuse(
            length > self.radius * (1 + 1e-12),
            length,
            f"a row must lie within {self.radius:g} of the centre",
            "Widen the ball or drop the row.",
            "distance",
        )

    def distance(self, x: Tensor) -> Tensor:
        """u = radius − ‖x − centre‖, ``(n,)``; zero where rounding puts a row just outside."""
        from_centre: Tensor = (x - x.new_tensor(self.centre)).norm(dim=1)
        return (self.radius - from_centre).clamp(min=0)

    def weight(self, x: Tensor) -> Tensor:
        """The weight of the distance, ``(n,)``."""
        return nearest_weight(self.distance_weight, self.distance(x))

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself: every direction is tangent."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """tr ∂v, ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)
