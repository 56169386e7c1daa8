"""Derivatives along d directions, of which most may be zero.

A statistic such as xᵢxⱼ depends on two of d coordinates, so that all but two of its derivatives are
zero; they are neither stored nor multiplied. Which ones are there is the same in every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NONE = -1  # in `which`: no direction, the value is zero


@dataclass(frozen=True, eq=False)
class Slopes:
    """∂_{lⱼ}f for j < d of f of any shape.

    Parameters
    ----------
    d
        The number of directions.
    values
        ``(d, *shape)``, one for each direction; or ``(q, *shape)``, those that are not zero.
    which
        None; or ``(q, *shape)`` with the axis of the rows cut to 1, the direction of each value,
        −1 for none. A direction may occur twice: its derivative is the sum.
    """

    d: int
    values: Tensor
    which: Tensor | None = None

    def dense(self) -> Tensor:
        """All of them, ``(d, *shape)``."""
        if self.which is None:
            return self.values
        rows = self.which.expand(self.values.shape)
        total = self.values.new_zeros(self.d + 1, *self.values.shape[1:])
        return total.scatter_add(0, torch.where(rows == NONE, self.d, rows), self.values)[:-1]

    def filled(self) -> Slopes:
        """With one value for each direction."""
        return self if self.which is None else Slopes(self.d, self.dense())

    def with_rows_cut(self, rows: int, shape: torch.Size) -> Slopes:
        """With `which` spelled out for every entry of f of this shape but the axis of the rows."""
        if self.which is None:
            return self
        event = [1 if axis == rows else size for axis, size in enumerate(shape)]
        return Slopes(self.d, self.values.expand(-1, *shape), self.which.expand(-1, *event))

    def lifted(self, ndim: int) -> Slopes:
        """With the rank of the shape raised to ndim, for broadcasting."""

        def lift(part: Tensor) -> Tensor:
            return part.reshape(len(part), *(1,) * (ndim + 1 - part.ndim), *part.shape[1:])

        which = None if self.which is None else lift(self.which)
        return Slopes(self.d, lift(self.values), which)

    def times(self, factor: Tensor | float, ndim: int | None = None) -> Slopes:
        """Of f times what does not depend on the rows' coordinates; ndim is the rank of that."""
        lifted = self if ndim is None else self.lifted(ndim)
        return Slopes(self.d, lifted.values * factor, lifted.which)

    def plus(self, other: Slopes, shape: torch.Size) -> Slopes:
        """Of a sum of the given shape."""
        f, g = self.lifted(len(shape)), other.lifted(len(shape))
        if f.which is None or g.which is None or len(f.values) + len(g.values) > self.d:
            return Slopes(self.d, f.dense() + g.dense())
        if f.which.shape == g.which.shape and torch.equal(f.which, g.which):
            return Slopes(self.d, f.values + g.values, f.which)
        values = [part.expand(-1, *shape) for part in (f.values, g.values)]
        both = (f.which[0] + g.which[0]).shape
        which = [part.expand(-1, *both) for part in (f.which, g.which)]
        return Slopes(self.d, torch.cat(values), torch.cat(which))

    def dot(self, other: Slopes) -> Tensor:
        """Σⱼ ∂_{lⱼ}f ∂_{lⱼ}g, like fg."""
        if self.which is None or other.which is None:
            return (self.dense() * other.dense()).sum(0)
        total = torch.zeros_like(self.values[0] * other.values[0])
        for f, at in zip(self.values, self.which, strict=True):
            for g, there in zip(other.values, other.which, strict=True):
                same = (at == there) & (at != NONE)
                if bool(same.any()):
                    total = total + torch.where(same, f * g, 0.0)
        return total

    def mapped(self, function: Callable[[Tensor], Any]) -> Any:
        """Of a linear function of f, to which all derivatives are needed."""
        return parts_of(self.d, torch.vmap(function)(self.dense()), None)

    def selected(self, function: Callable[[Tensor], Any], value: Any) -> Any:
        """Of a function that picks and rearranges entries, the same in each row, into value."""
        if self.which is None:
            return self.mapped(function)
        try:
            which = torch.vmap(function)(self.which)
        except (RuntimeError, IndexError, ValueError):
            return self.mapped(function)
        if not fits(which, value):
            return self.mapped(function)
        return parts_of(self.d, torch.vmap(function)(self.values), which)


def parts_of(d: int, values: Any, which: Any) -> Any:
    """Slopes, or a tuple of them where the parts are tuples."""
    if isinstance(values, Tensor):
        return Slopes(d, values, which)
    each = which if which is not None else (None,) * len(values)
    return tuple(Slopes(d, *pair) for pair in zip(values, each, strict=True))


def fits(which: Any, value: Any) -> bool:
    """Whether directions ``(q, *shape)`` can stand for those of value, the rows cut to 1."""
    if isinstance(value, Tensor):
        if which.ndim != value.ndim + 1:
            return False
        cut = [here != there for here, there in zip(which.shape[1:], value.shape, strict=True)]
        ones = [here == 1 for here in which.shape[1:]]
        return sum(cut) <= 1 and all(one for one, is_cut in zip(ones, cut, strict=True) if is_cut)
    return len(which) == len(value) and all(map(fits, which, value))


def joined(parts: list[Slopes | Tensor], function: Callable[..., Tensor], value: Tensor) -> Slopes:
    """Of a value made by putting parts together; those that do not depend on the rows are tensors.

    Parameters
    ----------
    function
        Puts tensors shaped like the parts together.
    """
    slopes = [part for part in parts if isinstance(part, Slopes)]
    d, q = slopes[0].d, max(len(part.values) for part in slopes)
    if q < d and all(part.which is not None for part in slopes):
        rows = next((axis for part in slopes for axis in rows_of(part)), None)
        which = torch.vmap(function)(*(_which(part, q, rows) for part in parts))
        if fits(which, value):
            return Slopes(d, torch.vmap(function)(*(_values(part, q) for part in parts)), which)
    return Slopes(d, torch.vmap(function)(*(_values(part, d) for part in parts)))


def rows_of(slopes: Slopes) -> list[int]:
    """The axis of the rows of f, where it shows."""
    if slopes.which is None:
        return []
    shapes = zip(slopes.which.shape[1:], slopes.values.shape[1:], strict=True)
    return [axis for axis, (here, there) in enumerate(shapes) if here != there]


def _values(part: Slopes | Tensor, q: int) -> Tensor:
    """The values of a part, ``(q, *shape)``: filled up with zeros, or dense for q = d."""
    if isinstance(part, Tensor):
        return part.new_zeros(()).expand(q, *part.shape)
    values = part.dense() if q == part.d else part.values
    missing = values.new_zeros(()).expand(q - len(values), *values.shape[1:])
    return torch.cat([values, missing]) if len(missing) else values


def _which(part: Slopes | Tensor, q: int, rows: int | None) -> Tensor:
    """The directions of a part's values, filled up with none."""
    if isinstance(part, Tensor):
        shape = [1 if axis == rows else size for axis, size in enumerate(part.shape)]
        return torch.full((q, *shape), NONE, device=part.device)
    assert part.which is not None
    missing = part.which.new_full((), NONE).expand(q - len(part.which), *part.which.shape[1:])
    return torch.cat([part.which, missing]) if len(missing) else part.which
