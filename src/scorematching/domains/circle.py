"""The circle, in angles: the arc length is flat, so the loss is that of ℝ, and 2π is 0."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from scorematching.domains.checks import check_columns, refuse
from scorematching.domains.domain import Field, tangent_divergence


@dataclass(frozen=True)
class Circle:
    """Angles φ in radians, ``(n, 1)`` or ``(n,)``, weight w = 1: the loss is ½ s² + ∂s/∂φ.

    The density must be a smooth function on the circle, of period 2π; then nothing is left at
    ±π. The same points as unit vectors (cos φ, sin φ) live on ``Sphere(2)``, with the same loss.
    Angles beyond ±2π are refused, as degrees would be.
    """

    @property
    def d(self) -> int:
        """1."""
        return 1

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, 1)`` or ``(n,)``, finite, within ±2π."""
        x = x[:, None] if x.ndim == 1 else x
        check_columns(x, 1)
        refuse(
            x.abs() > 2 * math.pi,
            x,
            "angles are in radians, between −2π and 2π",
            "Convert degrees by torch.deg2rad(x); wrap by torch.remainder(x, 2 * torch.pi).",
        )

    def weight(self, x: Tensor) -> Tensor:
        """1 in every row, ``(n,)``: there is no boundary."""
        return x.new_ones(x.shape[0])

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself: the angle has one direction."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """∂v/∂φ, ``(n,)`` or ``(n, m)``, for x ``(n, 1)``."""
        return tangent_divergence(self.project, field, x)
