"""Compositions, non-negative rows that sum to one, in three geometries.

`FlatSimplex` keeps x, in the hyperplane Σ xⱼ = 1; `SqrtSimplex` takes z = √x to the sphere;
`LogRatioSimplex` takes log-ratios to ℝᵈ⁻¹ (J. L. Scealy & A. T. A. Wood, "Score matching for
compositional distributions", JASA 118 (2023)).

Zeros: where a part is zero the score β/xⱼ is infinite, yet a weight that falls as the square of the
distance keeps w s² and ∂(w s) finite. A row with a part below 1e-10 is therefore evaluated 1e-10
further inside, on the way to (1/d, …, 1/d): its limit from there, up to about 1e-10.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains.charts import AdditiveLogRatio, SquareRoot
from scorematching.domains.checks import (
    TOLERANCE,
    check_columns,
    check_dimension,
    check_inside,
    check_weight_vanishes,
    refuse,
)
from scorematching.domains.domain import Field, tangent_divergence
from scorematching.domains.euclidean import Euclidean
from scorematching.domains.sphere import PositiveSphere
from scorematching.domains.weights import MinSq, Weight
from scorematching.errors import InvalidInput

DEFAULT = MinSq(0.1)
SHIFT = 1e-10
WEIGHTS = "Use MinSq(c) or ProdSq(c)."


@dataclass(frozen=True)
class FlatSimplex:
    """{x ≥ 0, Σ xⱼ = 1} as a flat piece of ℝᵈ, and a weight of x, one a row.

    P v = v − mean(v). The boundary's normal at xⱼ = 0 is tilted, so that a weight per coordinate
    would leave something there: only weights per row are taken. The default min(minⱼ xⱼ², 0.1²)
    falls as the square of the distance, which leaves nothing at the boundary for densities
    ∝ ∏ xⱼ^β, β > −1, and is capped so that rows well inside count alike.

    Parameters
    ----------
    d
        The number of parts.
    weight
        `MinSq`, `ProdSq`, or a callable of x ``(n, d)`` with values ``(n,)``.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2; the weight is one per coordinate or does not vanish at
        the boundary.
    """

    d: int
    weight: Weight = DEFAULT

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "FlatSimplex(d)")
        sides = (1.0 - torch.eye(self.d, dtype=torch.float64)) / (self.d - 1)
        check_weight_vanishes(self.weight, sides, WEIGHTS)
        if self.weight(sides).ndim != 1:
            raise InvalidInput(
                f"FlatSimplex needs a weight per row, (n,): {self.weight!r} gives one per "
                f"coordinate, which leaves something at the boundary. {WEIGHTS}"
            )

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, nowhere negative, with sums 1 ± 1e-6."""
        check_composition(x, self.d)

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v − mean(v), like v."""
        return v - v.mean(1, keepdim=True)

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """tr(P ∂v), ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)

    def approach(self, x: Tensor) -> Tensor:
        """x, with rows on the boundary moved inwards, if the weight falls fast enough there."""
        return move_inwards(x) if second_order(self.weight, self.d) else x


@dataclass(frozen=True, init=False, repr=False)
class SqrtSimplex:
    """Compositions matched as z = √x on the positive part of the sphere, with a weight of z.

    log p_z(z) = log p(z²) + Σ log zⱼ. The default weight is min(minⱼ zⱼ², 0.1²), one of the two of
    Scealy & Wood (2023); it leaves nothing at the boundary for p ∝ ∏ xⱼ^β, β > −1.

    Parameters
    ----------
    d
        The number of parts.
    weight
        A `Weight` of z, ``(n,)`` or ``(n, d)``; ``inner.weight`` afterwards.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2; the weight does not vanish at the boundary.
    """

    inner: PositiveSphere

    def __init__(self, d: int, weight: Weight = DEFAULT) -> None:
        check_dimension(d, 2, "SqrtSimplex(d)")
        object.__setattr__(self, "inner", PositiveSphere(d, weight))

    def __repr__(self) -> str:
        return f"SqrtSimplex(d={self.d!r}, weight={self.inner.weight!r})"

    @property
    def d(self) -> int:
        """The number of parts."""
        return self.inner.d

    @property
    def chart(self) -> SquareRoot:
        """z = √x."""
        return SquareRoot()

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, nowhere negative, with sums 1 ± 1e-6.

        With a weight that falls more slowly than the square of z, zeros are refused as well.
        """
        check_composition(x, self.d)
        if not second_order(self.inner.weight, self.d):
            refuse(
                x < SHIFT,
                x,
                f"with the weight {self.inner.weight!r} every part must be positive",
                f"w s² is infinite at zero. {WEIGHTS}",
            )

    def approach(self, x: Tensor) -> Tensor:
        """x, with rows on the boundary moved inwards."""
        return move_inwards(x)


@dataclass(frozen=True)
class LogRatioSimplex:
    """Compositions matched as zⱼ = log(xⱼ/x_d) in ℝᵈ⁻¹, weight 1; every part must be positive.

    log p_z(z) = log p(x(z)) + Σ log xⱼ. The last part is the denominator: another order of the
    columns gives another, equally consistent, estimate. p must fall to zero at the boundary in
    these coordinates, as ∏ xⱼ^(β+1) does for β > −1.

    Raises
    ------
    InvalidInput
        d is not an integer of at least 2.
    """

    d: int

    def __post_init__(self) -> None:
        check_dimension(self.d, 2, "LogRatioSimplex(d)")

    @property
    def inner(self) -> Euclidean:
        """ℝᵈ⁻¹."""
        return Euclidean(self.d - 1)

    @property
    def chart(self) -> AdditiveLogRatio:
        """zⱼ = log(xⱼ/x_d)."""
        return AdditiveLogRatio()

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` unless x is ``(n, d)``, positive, with sums 1 ± 1e-6."""
        check_composition(x, self.d)
        self.chart.check(x)


def check_composition(x: Tensor, d: int) -> None:
    """Raise `InvalidInput` unless x is ``(n, d)``, nowhere negative, with row sums 1 ± 1e-6."""
    check_columns(x, d)
    check_inside(x, x, "every part of a composition must be at least 0", "Drop or correct the row.")
    total = x.sum(1)
    refuse(
        (total - 1).abs() > TOLERANCE,
        total,
        f"the parts of a composition must sum to 1 within {TOLERANCE:g}",
        "If only the proportions count, divide: x / x.sum(1, keepdim=True).",
        "sum",
    )


def move_inwards(x: Tensor) -> Tensor:
    """x, with rows that have a part below 1e-10 moved by 1e-10 towards (1/d, …, 1/d)."""
    on_boundary = x.amin(1, keepdim=True) < SHIFT
    if not bool(on_boundary.any()):
        return x
    inwards = 1 / x.shape[1] - x
    moved = x + SHIFT * inwards / inwards.norm(dim=1, keepdim=True)
    return torch.where(on_boundary, moved / moved.sum(1, keepdim=True), x)


def second_order(weight: Weight, d: int) -> bool:
    """Whether the weight falls at least as the square of the distance from each side."""
    sides = (1.0 - torch.eye(d, dtype=torch.float64)) / (d - 1)
    eye = torch.eye(d, dtype=torch.float64)
    near, far = (weight(sides + step * eye) for step in (1e-8, 1e-4))
    at = [w if w.ndim == 1 else w.diagonal() for w in (near, far)]
    return bool((at[0] <= 1.01e-8 * at[1]).all())
