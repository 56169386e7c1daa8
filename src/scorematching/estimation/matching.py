"""The score matching loss of a row on a domain, and the directions it is differentiated along.

With the weight w and the tangent projection P of a domain (Hyvärinen 2007; Mardia, Kent & Laha
2016; Yu, Drton & Shojaie 2019), the loss of a score s in one row is

    ½ s·v + div v,    v = P(w · P s).

For s = ∇L it is the generator of a diffusion at work on L: with P diag(w) P = Σⱼ lⱼlⱼᵀ,
lⱼ = √wⱼ P eⱼ, and mₖ = div(P w P eₖ), the product rule div(Σₖ aₖ eₖ) gives

    Σⱼ ½ (∂_{lⱼ}L)² + ∂²_{lⱼ}L  +  ∂_m L,

second derivatives of L along d fixed directions a row instead of a divergence of a field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import (
    Charted,
    Domain,
    Product,
    weighted_field,
)
from scorematching.domains.domain import directional
from scorematching.errors import InvalidInput
from scorematching.estimation import jet_rules  # noqa: F401  (registers the rules)
from scorematching.estimation.jet import Jet, Unsupported
from scorematching.estimation.slopes import NONE, Slopes
from scorematching.shapes import check_like
from scorematching.typing import Score

FEW = 4  # coordinates for which all derivatives are carried, rather than those that are not zero


def matching_loss(score: Score, x: Tensor, domain: Domain) -> Tensor:
    """½ s·v + div v, v = P(w · P s), per row.

    Parameters
    ----------
    score
        ∇ log p: x ``(n, d)`` → ``(n, d)``.
    x
        Rows ``(n, d)`` in the domain.
    domain
        One that is matched in the coordinates of x itself.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the score.

    Raises
    ------
    InvalidInput
        A row lies outside the domain, or the domain is matched in other coordinates, where the
        score is another.
    """
    if isinstance(domain, Charted) and not isinstance(domain, Product):
        raise InvalidInput(
            f"{domain!r} is matched in other coordinates: pass domain.inner, the rows "
            "domain.chart.forward(x) and the score of their density."
        )
    domain.check(x)
    s = check_like(score(x), x, "a score")
    v = weighted_field(domain, x, s)
    return (s * v).sum(1) / 2 + domain.divergence(_Weighted(domain, score), x)


@dataclass(frozen=True)
class _Weighted:
    """x ↦ P(w · P s(x))."""

    domain: Domain
    score: Score

    def __call__(self, x: Tensor) -> Tensor:
        return weighted_field(self.domain, x, self.score(x))


@dataclass(frozen=True, eq=False)
class Frame:
    """The directions of a domain at n rows.

    Parameters
    ----------
    directions
        lⱼ = √wⱼ P eⱼ, as the derivatives of the rows themselves along them, ``(d, n, d)``.
    drift
        ``(n, d)``: mₖ = div(P w P eₖ).
    """

    directions: Slopes
    drift: Tensor


def frame_of(domain: Domain, z: Tensor) -> Frame:
    """The frame of a domain at rows z ``(n, d)``."""
    n, d = z.shape
    eye = torch.eye(d, dtype=z.dtype, device=z.device).expand(n, d, d)
    tangent = domain.project(z, eye)
    roots = domain.weight(z).sqrt()
    roots = roots[:, None] if roots.ndim == 1 else roots
    if not torch.equal(tangent, eye):
        directions = (tangent * roots[:, None, :]).permute(2, 0, 1)
        return Frame(Slopes(d, directions), domain.divergence(_Columns(domain), z))
    along_axes = axes(z).times(roots)
    if d <= FEW:
        along_axes = along_axes.filled()
    return Frame(along_axes, diagonal_slopes(domain.weight, z))


def axes(z: Tensor) -> Slopes:
    """The derivatives of rows z ``(n, d)`` along the coordinate axes."""
    d = z.shape[1]
    which = torch.arange(d, device=z.device).reshape(1, 1, d)
    return Slopes(d, torch.ones_like(z)[None], which)


@dataclass(frozen=True)
class _Columns:
    """x ↦ P w P, ``(n, d, d)``: its columns as fields."""

    domain: Domain

    def __call__(self, x: Tensor) -> Tensor:
        n, d = x.shape
        eye = torch.eye(d, dtype=x.dtype, device=x.device).expand(n, d, d)
        return weighted_field(self.domain, x, eye)


def diagonal_slopes(weight: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """∂ₖwₖ, ``(n, d)``; the gradient of w where there is one a row."""

    def as_columns(rows: Tensor) -> Tensor:
        w = weight(rows)
        return w[:, None] if w.ndim == 1 else w

    slopes = along(as_columns, z, Frame(axes(z), torch.zeros_like(z)))[0].dense()
    return slopes[:, :, 0].mT if slopes.shape[2] == 1 else slopes.diagonal(dim1=0, dim2=2)


def along(function: Callable[[Tensor], Tensor], z: Tensor, frame: Frame) -> tuple[Slopes, Tensor]:
    """First derivatives along the frame, and what its generator makes of a function.

    Parameters
    ----------
    function
        z ``(n, d)`` → ``(n, q)``, each row's value depending on that row alone.
    z
        ``(n, d)``.
    frame
        At z.

    Returns
    -------
    slopes, generated
        ∂_{lⱼ}f, ``(d, n, q)``; ∂_m f + Σⱼ ∂²_{lⱼ}f, ``(n, q)``. Differentiable in
        whatever else the function depends on.

    Raises
    ------
    InvalidInput
        The values differ from row to row and carry no derivative by z.
    """
    try:
        result = function(Jet(z, frame.directions, frame.drift))
    except Unsupported:
        return along_by_nested_passes(function, z, frame)
    if isinstance(result, Jet):
        return result.slopes.with_rows_cut(0, result.value.shape), result.generated
    if bool((result != result[:1]).any()):
        raise InvalidInput(
            "the log-density or statistics differ from row to row, yet carry no derivative by x: "
            "they were computed detached, under no_grad or outside torch. Compute them with torch "
            "operations on x."
        )
    none = torch.full((1, 1, *result.shape[1:]), NONE, device=result.device)
    zeros = torch.zeros_like(result)
    return Slopes(frame.directions.d, zeros[None], none), zeros


def along_by_nested_passes(
    function: Callable[[Tensor], Tensor], z: Tensor, frame: Frame
) -> tuple[Slopes, Tensor]:
    """As `along`, by nested forward passes, 2d + 1 of them: slower, for any function."""
    generated = directional(function, z, frame.drift)[1]
    slopes = []
    for direction in frame.directions.dense():
        slope, curvature = directional(_Slope(function, direction), z, direction)
        slopes.append(slope)
        generated = generated + curvature
    return Slopes(frame.directions.d, torch.stack(slopes)), generated


@dataclass(frozen=True)
class _Slope:
    """z ↦ ∂_l f(z) for a fixed direction l in each row."""

    function: Callable[[Tensor], Tensor]
    direction: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        return directional(self.function, z, self.direction)[1]
