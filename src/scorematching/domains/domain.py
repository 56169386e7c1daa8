"""Where rows live: what score matching needs to know of a domain.

Generalised score matching (Hyvärinen 2007; Yu, Drton & Shojaie 2019; Mardia, Kent & Laha 2016)
weights the squared score difference, so that nothing is left at the boundary when it is integrated
by parts. With the tangent projection P(x), the weight w(x) and the surface divergence
div v = tr(P ∂v), the loss of a score s in one row is

    ½ s·v + div v,    v = P(w · P s),

whose mean over p differs from E_p ½ (s − ∇log p)·P(w · P (s − ∇log p)) by a constant, because
E_p[∇log p · v + div v] = 0 by Stokes' theorem where p v vanishes at the boundary.

A class of one's own with the five members of `Domain` works everywhere; ten lines do::

    @dataclass(frozen=True)
    class Disc:
        d = 2
        def check(self, x):
            if not (x.square().sum(1) <= 1).all():
                raise ValueError("a row lies outside the disc")
        def weight(self, x):
            return 1 - x.square().sum(1)
        def project(self, x, v):
            return v
        def divergence(self, field, x):
            return tangent_divergence(self.project, field, x)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from scorematching.calculus import differentiable, pullback
from scorematching.errors import InvalidInput

Field = Callable[[Tensor], Tensor]
Projection = Callable[[Tensor, Tensor], Tensor]


class Domain(Protocol):
    """Where rows ``(n, d)`` live: the weight, the tangent projection and the divergence."""

    @property
    def d(self) -> int:
        """Columns of a row."""
        ...

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a row is not in the domain, with its number and value."""
        ...

    def weight(self, x: Tensor) -> Tensor:
        """w ≥ 0, one a row ``(n,)`` or one a coordinate ``(n, d)``; zero at the boundary."""
        ...

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """P(x) v, the tangent part of v ``(n, d)`` or of m fields at once ``(n, d, m)``."""
        ...

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """div v = tr(P ∂v) of a tangent field v, ``(n,)``, or of m at once, ``(n, m)``.

        The field maps x to ``(n, d)`` or ``(n, d, m)``. Each row's value depends on
        that row alone.
        """
        ...


def weighted_field(domain: Domain, x: Tensor, s: Tensor) -> Tensor:
    """v = P(w · P s), like s.

    Parameters
    ----------
    domain
        Gives w and P.
    x
        ``(n, d)``.
    s
        ``(n, d)``, a score at x, or ``(n, d, m)``, m of them.

    Raises
    ------
    InvalidInput
        The weight is neither ``(n,)`` nor ``(n, d)``.
    """
    w = domain.weight(x)
    if w.shape not in (x.shape[:1], x.shape):
        raise InvalidInput(
            f"a weight must be one number a row, shape ({x.shape[0]},), or one a coordinate, "
            f"{tuple(x.shape)}: got {tuple(w.shape)}."
        )
    w = w.reshape(*w.shape, *(1,) * (s.ndim - w.ndim))
    return domain.project(x, w * domain.project(x, s))


def tangent_divergence(project: Projection, field: Field, x: Tensor) -> Tensor:
    """div v = tr(∂v P) = Σⱼ eⱼᵀ ∂v P eⱼ: the surface divergence of a tangent field.

    Only derivatives along tangent directions enter, so that it does not matter how the field
    continues off the surface. Exact: d passes of forward-mode differentiation. A single field
    ``(n, d)`` that differentiates inside itself by ``torch.autograd``, as `score_of` does, has no
    forward mode: it takes d backward passes instead, with the same result.

    Parameters
    ----------
    project
        P(x) v: x ``(n, d)``, v ``(n, d)`` → like v.
    field
        x → ``(n, d)``, or ``(n, d, m)`` for m fields at once, tangent; each row's value depends
        on that row alone.
    x
        ``(n, d)``.

    Returns
    -------
    Tensor
        ``(n,)``, or ``(n, m)``; differentiable in whatever else the field depends on.

    Raises
    ------
    InvalidInput
        The field has another shape than ``(n, d)`` or ``(n, d, m)``, or varies from row to row
        without carrying a derivative (computed detached, or outside torch).
    """
    directions = project_basis(project, x)
    try:
        return _forward(field, x, directions)
    except RuntimeError:
        with torch.no_grad():
            several = field(x).ndim != 2
        if several:
            raise
        return _backward(field, x, directions)


def project_basis(project: Projection, x: Tensor) -> Tensor:
    """P itself: the tangent parts of the coordinate directions, P eⱼ in ``[:, :, j]``."""
    n, d = x.shape
    return project(x, torch.eye(d, dtype=x.dtype, device=x.device).expand(n, d, d))


def _forward(field: Field, x: Tensor, directions: Tensor) -> Tensor:
    total = x.new_zeros(())
    moved = False
    value = x
    for j in range(x.shape[1]):
        value, slope = directional(field, x, directions[:, :, j])
        if value.ndim not in (2, 3) or value.shape[:2] != x.shape:
            raise InvalidInput(
                f"a field must be shaped like x, {tuple(x.shape)}, with at most one axis more: "
                f"got {tuple(value.shape)}."
            )
        moved = moved or bool(slope.any())
        total = total + slope[:, j]
    if not moved and _varies(value):
        _check_derivative(field, x, directions[:, :, 0])
    return total


def directional(field: Field, x: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The field and its derivative along a direction like x, by forward mode."""
    value, slope = torch.func.jvp(field, (x,), (direction.contiguous(),))  # type: ignore[misc]
    return value, slope


def _varies(value: Tensor) -> bool:
    """Whether the finite rows differ."""
    rows = value.flatten(1)
    rows = rows[rows.isfinite().all(1)]
    return bool((rows != rows[:1]).any())


def _check_derivative(field: Field, x: Tensor, direction: Tensor) -> None:
    """Refuse values without a derivative; one that is zero everywhere, as of sign(x), is one."""
    try:
        torch.func.jvp(field, (x,), (direction.contiguous(),), strict=True)
    except RuntimeError as error:
        raise InvalidInput(
            "cannot differentiate the field by x: its values differ from row to row, yet carry no "
            "derivative. They were computed detached or outside torch; compute them with torch "
            "operations on x."
        ) from error


def _backward(field: Field, x: Tensor, directions: Tensor) -> Tensor:
    keep = torch.is_grad_enabled()
    with differentiable(x) as x:
        value = field(x)
        total = x.new_zeros(x.shape[0])
        for j in range(x.shape[1]):
            row = torch.zeros_like(value)
            row[:, j] = 1.0
            slopes = pullback(value, x, row, keep_graph=keep)
            total = total + (slopes * directions[:, :, j]).sum(1)
    return total if keep else total.detach()
