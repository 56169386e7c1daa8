"""ℝᵈ: no boundary, weight one, the objective of Hyvärinen (2005)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from scorematching.domains.checks import check_columns, check_dimension
from scorematching.domains.domain import Field, tangent_divergence


@dataclass(frozen=True)
class Euclidean:
    """ℝᵈ, weight w = 1: the loss is ½‖s‖² + tr ∂s.

    There is no boundary to weigh down; the density must fall to zero at infinity, and its score
    times it as well.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 1.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 1, "Euclidean(d)")

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)`` and finite."""
        check_columns(x, self.d)

    def weight(self, x: Tensor) -> Tensor:
        """1 in every row, ``(n,)``."""
        return x.new_ones(x.shape[0])

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself: every direction is tangent."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """tr ∂v, ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)
