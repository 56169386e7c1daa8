"""What one pass over a stream gives: the preprocessing, the Gaussian base, the held-out rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scorematching.data import Dataset, Stream, TableSchema
from scorematching.data.moments import Moments
from scorematching.data.transform import Compose, Standardise, Transform, bounds_of
from scorematching.data.whiten import Whiten, whitening
from scorematching.errors import InvalidInput
from scorematching.nets import GaussianBase
from scorematching.preprocessing import names, one_scale
from scorematching.streaming import firsts_of, inside, positions, spread
from scorematching.training_rows import subset

#: Largest number of coordinates whose covariance is kept whole.
MAX_COVARIANCE = 2048
#: Rows that the Gaussian base is fitted to where it is not.
BASE_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Constants:
    """What one pass over a stream gives.

    Attributes
    ----------
    transform
        The preprocessing.
    base
        The Gaussian of the prepared rows.
    held_out
        The rows left out, in the data's own units; None without any.
    notes
        What a user should know.
    """

    transform: Compose
    base: GaussianBase
    held_out: Dataset | None
    notes: tuple[str, ...]


def constants(
    stream: Stream, held_out: Tensor, seed: int, dtype: torch.dtype, *, enabled: bool
) -> Constants:
    """The preprocessing and the Gaussian base of the rows that are not held out, by one pass.

    As `preprocessing.preprocessing` and `GaussianBase.fit` have them, up to rounding; rows of more
    than `MAX_COVARIANCE` coordinates have the base of `BASE_ROWS` rows among them.

    Parameters
    ----------
    held_out
        The numbers of the rows to leave out, ascending; they are given back.
    seed
        Of the noise that spreads whole numbers, if enabled.
    dtype
        Of the prepared rows.

    Raises
    ------
    InvalidInput
        A value lies outside its bounds, or the rows are all the same.
    """
    schema = stream.schema
    bounds = bounds_of(schema) if isinstance(schema, TableSchema) else None
    opened: tuple[Transform, ...] = () if bounds is None else (bounds,)
    d = math.prod(schema.event)
    moments = Moments(full=not one_scale(schema) or d <= MAX_COVARIANCE)
    some = positions(stream.n, BASE_ROWS, seed, "base rows")
    parts, few = [], []
    for group, first in enumerate(firsts_of(stream)[:-1]):
        data = stream.read(group)
        size = stream.sizes[group]
        left_out = inside(held_out, first, size)
        parts.append(subset(data, left_out.numpy()))
        kept = torch.ones(size, dtype=torch.bool)
        kept[left_out] = False
        values = Compose(opened).forward(spread(data, seed, group, enabled=enabled))
        moments.add(values[kept].flatten(1) if values.ndim > 1 else values[kept][:, None])
        if not moments.full:
            chosen = torch.zeros(size, dtype=torch.bool)
            chosen[inside(some, first, size)] = True
            few.append(values[chosen & kept])
    transform, notes = _transform(stream, opened, moments)
    base = _base(stream, moments, transform, few, dtype)
    return Constants(transform, base, _joined(parts), notes)


def picked(stream: Stream, numbers: Tensor) -> Dataset:
    """The rows of the given numbers, ascending; only the groups that hold some are read."""
    parts = []
    for group, first in enumerate(firsts_of(stream)[:-1]):
        some = inside(numbers, first, stream.sizes[group])
        if len(some):
            parts.append(subset(stream.read(group), some.numpy()))
    joined = _joined(parts)
    if joined is None:
        raise InvalidInput("there are no rows to pick.")
    return joined


def _transform(
    stream: Stream, opened: tuple[Transform, ...], moments: Moments
) -> tuple[Compose, tuple[str, ...]]:
    schema, deviations = stream.schema, moments.deviations
    constant = deviations == 0
    if one_scale(schema):
        if bool(constant.all()):
            raise InvalidInput(
                f"the {moments.n} rows to fit are all the same: there is nothing to learn from "
                "them."
            )
        largest = deviations.max()
        scale = largest * (deviations / largest).square().mean().sqrt()
        mean = moments.mean.reshape(schema.event)
        part: Transform = Standardise(mean, scale.expand(schema.event).clone())
        return Compose((*opened, part)), ()
    unit = Standardise(moments.mean, torch.where(constant, torch.ones(()).double(), deviations))
    part, notes = whitening(unit, moments.correlations(), moments.n, names(schema))
    return Compose((*opened, part)), notes


def _base(
    stream: Stream, moments: Moments, transform: Compose, few: list[Tensor], dtype: torch.dtype
) -> GaussianBase:
    event, last = stream.schema.event, transform.parts[-1]
    if not moments.full:
        return GaussianBase.fit(last.forward(torch.cat(few)).to(dtype))
    # The last part is affine: its linear map takes deviations to those of the prepared rows.
    slopes = moments.deviations[:, None] * _linear(last)
    covariance = slopes.T @ moments.correlations() @ slopes
    return GaussianBase.of_moments(
        torch.zeros(event, dtype=torch.float64), covariance, moments.n, dtype
    )


def _linear(part: Transform) -> Tensor:
    """The matrix A ``(d, d)`` of an affine map x ↦ xA + b."""
    if isinstance(part, Whiten):
        return part.matrix
    assert isinstance(part, Standardise)
    return torch.diag(1 / part.scale.flatten())


def _joined(parts: list[Dataset]) -> Dataset | None:
    rows = [each for each in parts if each.n]
    if not rows:
        return None
    labels = [each.labels for each in rows if each.labels is not None]
    return replace(
        rows[0],
        values=np.concatenate([each.values for each in rows]),
        labels=np.concatenate(labels) if labels else None,
        notes=(),
    )
