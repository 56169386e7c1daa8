"""Ascend a log-density by its gradient alone: truncated Newton steps with a check of the slope.

Each step solves −∂g/∂x p = g by conjugate gradients, whose step lengths are the measured
curvatures, to a residual that shrinks as the gradient does (R. S. Dembo & T. Steihaug,
"Truncated-Newton algorithms for large-scale unconstrained optimization", Mathematical Programming
26 (1983)). Products with ∂g/∂x are differences of gradients; no value of the log-density is needed,
nor a second derivative. A step p is halved until the slope along it, gᵀp > 0 at its start, is no
less than −½gᵀp at its end: by the trapezoidal rule a rise of at least a quarter of what the start
promised. Each row has directions, lengths and an end of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.samplers.walk import rows_of
from scorematching.shapes import event_size, per_row, sum_event

HALVINGS = 30
ROUNDINGS = 8  # of a gradient, in units of ε L‖x‖

Field = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where an ascent ended.

    Attributes
    ----------
    x
        ``(n, *event)``, always finite.
    converged
        ``(n,)``, whether the gradient was small there.
    imbalance
        ``(n,)``, ‖g‖ over the scale that came with it.
    n_evaluations
        Calls of the field for each row.
    """

    x: Tensor
    converged: Tensor
    imbalance: Tensor
    n_evaluations: int


@dataclass(frozen=True, eq=False)
class _Place:
    """A point of each row, the gradient there, and the scale that it is measured by."""

    x: Tensor
    gradient: Tensor
    scale: Tensor

    @classmethod
    def at(cls, field: Field, x: Tensor) -> _Place:
        return cls(x, *field(x))

    def but(self, other: _Place, rows: Tensor) -> _Place:
        """The other place in the given rows, ``(n,)``."""
        flag = rows_of(rows, self.x)
        return _Place(
            torch.where(flag, other.x, self.x),
            torch.where(flag, other.gradient, self.gradient),
            torch.where(rows, other.scale, self.scale),
        )

    def imbalance(self) -> Tensor:
        size = norm(self.gradient)
        return torch.where(size == 0, size, size / self.scale)


def ascend(field: Field, x: Tensor, *, unit: float, tolerance: float, max_steps: int) -> Ascent:
    """Follow a gradient to where it vanishes, from each row of x ``(n, *event)``.

    Parameters
    ----------
    field
        x → the gradient g, like x, and a scale for it, ``(n,)``: the sum of the norms of the parts
        that cancel in it.
    x
        Where to start.
    unit
        A length over which g changes smoothly; gradients are compared over √ε of it and of ‖x‖.
    tolerance
        A row has converged where ‖g‖ ≤ tolerance · scale + 8 ε L‖x‖; the last term is rounding,
        with the largest curvature L met by the conjugate gradients.
    max_steps
        Newton steps.
    """
    epsilon = torch.finfo(x.dtype).eps
    place, used = _Place.at(field, x), 1
    curvature = torch.zeros_like(place.scale)
    stuck = (
        ~place.gradient.flatten(1).isfinite().all(1) if x.ndim > 1 else ~place.gradient.isfinite()
    )
    for taken in range(max_steps + 1):
        limit = tolerance * place.scale + ROUNDINGS * epsilon * curvature * norm(place.x)
        converged = (norm(place.gradient) <= limit) & ~stuck
        if taken == max_steps or bool((converged | stuck).all()):
            break
        step = epsilon**0.5 * torch.hypot(norm(place.x), torch.full_like(curvature, unit))
        direction, steepest, calls = _newton(field, place, step, limit, converged | stuck)
        curvature = torch.maximum(curvature, steepest)
        place, halted, searched = _search(field, place, direction, converged | stuck)
        stuck, used = stuck | halted, used + calls + searched
    return Ascent(place.x, converged, place.imbalance(), used)


def norm(x: Tensor) -> Tensor:
    """‖x‖ of each row, ``(n,)``."""
    return sum_event(x**2).sqrt()


def _newton(
    field: Field, place: _Place, step: Tensor, limit: Tensor, done: Tensor
) -> tuple[Tensor, Tensor, int]:
    """A direction p with gᵀp > 0, the largest curvature met, and the calls of the field.

    The residual asked for is √(‖g‖/scale) ‖g‖, at most half of ‖g‖ and no less than half of what
    convergence needs. Where the curvature is not positive the iteration ends with what it has, or
    with the gradient over the size of that curvature.
    """
    gradient = place.gradient
    size = norm(gradient)
    enough = torch.maximum(size * (size / place.scale).sqrt().clamp(max=0.5), limit / 2)
    direction, residual, conjugate = torch.zeros_like(gradient), gradient, gradient
    square = sum_event(residual**2)
    steepest, active = torch.zeros_like(size), ~done
    calls = 0
    for first in (True, *(False,) * (event_size(gradient) - 1)):
        length = norm(conjugate)
        stride = torch.where(active, step / length, torch.zeros_like(step))
        shifted, _ = field(place.x + per_row(stride, gradient) * conjugate)
        calls += 1
        inverse = torch.where(active, 1 / stride, torch.zeros_like(stride))
        image = per_row(inverse, gradient) * (gradient - shifted)
        bend = sum_event(conjugate * image)
        share = torch.where(active, bend / length**2, torch.zeros_like(bend))
        steepest = torch.maximum(steepest, share.abs().nan_to_num())
        if first:
            bend = torch.where(bend == 0, square, bend.abs())
            concave = share > 0
        else:
            active = active & (bend > 0)
            concave = active
        along = torch.where(active, square / bend, torch.zeros_like(bend))
        direction = direction + per_row(along, gradient) * conjugate
        residual = residual - per_row(along, gradient) * image
        after = sum_event(residual**2)
        active = active & concave & (after.sqrt() > enough)
        if not bool(active.any()):
            break
        ratio = torch.where(active, after / square, torch.zeros_like(after))
        conjugate = residual + per_row(ratio, gradient) * conjugate
        square = after
    # A learned score need be no gradient, and the products then no symmetric ones.
    steep = per_row(1 / torch.where(steepest > 0, steepest, torch.ones_like(steepest)), gradient)
    uphill = sum_event(gradient * direction) > 0
    return torch.where(rows_of(uphill, gradient), direction, steep * gradient), steepest, calls


def _search(
    field: Field, place: _Place, direction: Tensor, done: Tensor
) -> tuple[_Place, Tensor, int]:
    """The place after the step, halved where need be; which rows found none; and the calls."""
    slope = sum_event(place.gradient * direction)
    found, length = done, torch.ones_like(slope)
    result, calls = place, 0
    while calls < HALVINGS and not bool(found.all()):
        moved = _Place.at(field, place.x + per_row(length, direction) * direction)
        calls += 1
        end = sum_event(moved.gradient * direction)
        rises = ~found & (slope > 0) & (end >= -slope / 2) & end.isfinite()
        result, found = result.but(moved, rises), found | rises
        length = length / 2
    return result, ~found, calls
