"""Intersections of half-spaces {Ax ≤ b}, weighted by the distance from the nearest face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from scorematching.domains.checks import (
    check_columns,
    check_nearest_weight,
    nearest_weight,
    numbers,
    refuse,
)
from scorematching.domains.domain import Field, tangent_divergence
from scorematching.domains.weights import MinPower, Weight
from scorematching.errors import InvalidInput

DEFAULT = MinPower(power=1.0, cap=3.0)
Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, init=False, repr=False)
class Halfspaces:
    """{x: Ax ≤ b}, an intersection of k half-spaces: the loss is ½ w‖s‖² + ∇·(w s).

    w is a weight of the distance from the nearest face, u = minᵢ (bᵢ − aᵢᵀx)/‖aᵢ‖, by default
    min(u, 3) in the units of x: linear at the boundary, which suffices for a density that is
    bounded there with a bounded score, and constant far inside.

    Parameters
    ----------
    A
        ``(k, d)``, one outward normal a row, of any length; kept as tuples.
    b
        ``(k,)``; kept as a tuple.
    weight
        A `Weight` of the distance u ``(n, 1)``, kept as ``distance_weight``.

    Raises
    ------
    InvalidInput
        The shapes do not match, a row of A is zero, the intersection has no interior, or the
        weight does not vanish at the boundary.
    """

    A: Rows
    b: tuple[float, ...]
    distance_weight: Weight
    normals: Rows = field(compare=False)
    offsets: tuple[float, ...] = field(compare=False)

    def __init__(
        self,
        A: Tensor | Sequence[Sequence[float]],
        b: Tensor | Sequence[float],
        weight: Weight = DEFAULT,
    ) -> None:
        a = torch.as_tensor(A, dtype=torch.float64).detach().cpu()
        bound = numbers(b, "b")
        if a.ndim != 2 or not a.numel() or bound.shape != a.shape[:1]:
            raise InvalidInput(
                "Ax ≤ b needs A of shape (k, d) and b of shape (k,): got "
                f"{tuple(a.shape)} and {tuple(bound.shape)}."
            )
        length = a.norm(dim=1)
        refuse(
            ~(a.isfinite().all(1) & bound.isfinite() & (length > 0)),
            length,
            "every row of A must be finite and not zero, and b finite",
            "Leave out rows that are no constraint.",
            "length",
        )
        unit, offset = a / length[:, None], bound / length
        if not _has_interior(unit, offset):
            raise InvalidInput(
                "no point lies strictly inside every half-space of Ax ≤ b: the intersection is "
                "empty or flat. Check the signs; x ≥ 0 is −x ≤ 0."
            )
        check_nearest_weight(weight)
        object.__setattr__(self, "A", _tuples(a))
        object.__setattr__(self, "b", tuple(bound.tolist()))
        object.__setattr__(self, "normals", _tuples(unit))
        object.__setattr__(self, "offsets", tuple(offset.tolist()))
        object.__setattr__(self, "distance_weight", weight)

    def __repr__(self) -> str:
        return f"Halfspaces(A={self.A!r}, b={self.b!r}, weight={self.distance_weight!r})"

    @property
    def d(self) -> int:
        """Columns of a row."""
        return len(self.normals[0])

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, finite and Ax ≤ b, up to rounding."""
        check_columns(x, self.d)
        slack = self.slack(x)
        scale = 1 + x.norm(dim=1, keepdim=True)
        outside = slack < -1e-12 * scale
        if bool(outside.any()):
            face = int(outside.nonzero()[0, 1])
            refuse(
                outside[:, face],
                -slack[:, face],
                f"a row must satisfy Ax ≤ b: constraint {face} is not",
                "Correct A and b, or drop the row.",
                "an excess of",
            )

    def slack(self, x: Tensor) -> Tensor:
        """The distances from the faces, (bᵢ − aᵢᵀx)/‖aᵢ‖, ``(n, k)``."""
        return x.new_tensor(self.offsets) - x @ x.new_tensor(self.normals).mT

    def distance(self, x: Tensor) -> Tensor:
        """The distance from the nearest face, ``(n,)``; not below zero."""
        slack = self.slack(x)
        return slack.gather(1, slack.argmin(1, keepdim=True))[:, 0].clamp(min=0)

    def weight(self, x: Tensor) -> Tensor:
        """The weight of the distance, ``(n,)``."""
        return nearest_weight(self.distance_weight, self.distance(x))

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself: every direction is tangent."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """tr ∂v, ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)


def _tuples(rows: Tensor) -> Rows:
    return tuple(tuple(row) for row in rows.tolist())


def _has_interior(unit: Tensor, offset: Tensor) -> bool:
    """Whether a ball of positive radius r fits: max r ≤ 1 subject to aᵢᵀx + r ≤ bᵢ, ‖aᵢ‖ = 1."""
    k, d = unit.shape
    constraints = np.hstack([unit.numpy(), np.ones((k, 1))])
    largest = linprog(
        c=[0.0] * d + [-1.0],
        A_ub=constraints,
        b_ub=offset.numpy(),
        bounds=[(None, None)] * d + [(None, 1.0)],
    )
    return largest.x is not None and bool(largest.x[-1] > 1e-12)
