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
from scorematching.shapes import check_like
from scorematching.typing import Score


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
        ``(d, n, d)``: lⱼ = √wⱼ P eⱼ in ``[j]``.
    drift
        ``(n, d)``: mₖ = div(P w P eₖ).
    """

    directions: Tensor
    drift: Tensor


def frame_of(domain: Domain, z: Tensor) -> Frame:
    """The frame of a domain at rows z ``(n, d)``."""
    n, d = z.shape
    eye = torch.eye(d, dtype=z.dtype, device=z.device).expand(n, d, d)
    tangent = domain.project(z, eye)
    w = domain.weight(z)
    roots = w.sqrt().reshape(n, 1, -1)
    if torch.equal(tangent, eye):
        drift = diagonal_slopes(domain.weight, z)
    else:
        drift = domain.divergence(_Columns(domain), z)
    return Frame((tangent * roots).permute(2, 0, 1), drift)


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
    columns = []
    for k in range(z.shape[1]):
        direction = torch.zeros_like(z)
        direction[:, k] = 1.0
        slope = directional(weight, z, direction)[1]
        columns.append(slope if slope.ndim == 1 else slope[:, k])
    return torch.stack(columns, 1)


def along(function: Callable[[Tensor], Tensor], z: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
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
        ∂_{lⱼ}f in ``[j]``, ``(d, n, q)``; ∂_m f + Σⱼ ∂²_{lⱼ}f, ``(n, q)``. Differentiable in
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
        return result.slopes, result.generated
    if bool((result != result[:1]).any()):
        raise InvalidInput(
            "the log-density or statistics differ from row to row, yet carry no derivative by x: "
            "they were computed detached, under no_grad or outside torch. Compute them with torch "
            "operations on x."
        )
    return result.new_zeros(len(frame.directions), *result.shape), torch.zeros_like(result)


def along_by_nested_passes(
    function: Callable[[Tensor], Tensor], z: Tensor, frame: Frame
) -> tuple[Tensor, Tensor]:
    """As `along`, by nested forward passes, 2d + 1 of them: slower, for any function."""
    generated = directional(function, z, frame.drift)[1]
    slopes = []
    for direction in frame.directions:
        slope, curvature = directional(_Slope(function, direction), z, direction)
        slopes.append(slope)
        generated = generated + curvature
    return torch.stack(slopes), generated


@dataclass(frozen=True)
class _Slope:
    """z ↦ ∂_l f(z) for a fixed direction l in each row."""

    function: Callable[[Tensor], Tensor]
    direction: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        return directional(self.function, z, self.direction)[1]
