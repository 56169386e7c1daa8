"""From rows in their own units to rows a network likes, chosen by the form of the data."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scorematching.data import Dataset, ImageSchema, Schema, TableSchema
from scorematching.data.transform import Compose, Standardise, Transform, bounds_of, whiten


def preprocessing(data: Dataset, rows: Tensor) -> tuple[Compose, tuple[str, ...]]:
    """The invertible map to standardised rows, its constants taken from rows ``(n, *event)``.

    Bounded columns go through a log or logit first. Rows of one axis are whitened: decorrelated,
    each direction of unit variance. Images are scaled so that their range becomes [−1, 1]. Other
    arrays are centred and scaled by one number.

    Parameters
    ----------
    data
        Where the rows are from.
    rows
        The training rows in float64, whole numbers dequantised.

    Returns
    -------
    Compose, tuple of str
        The map, and what a user should know about it: columns that nearly determine each other.

    Raises
    ------
    InvalidInput
        A column of the rows is constant, or a value lies outside its bounds.
    """
    schema = data.schema
    parts: list[Transform] = []
    notes: tuple[str, ...] = ()
    if isinstance(schema, TableSchema):
        bounds = bounds_of(schema)
        if bounds is not None:
            parts.append(bounds)
            rows = bounds.forward(rows)
    if isinstance(schema, ImageSchema):
        middle, half = (schema.low + schema.high) / 2, (schema.high - schema.low) / 2
        mean = torch.full(schema.event, middle, dtype=torch.float64)
        parts.append(Standardise(mean, torch.full(schema.event, half, dtype=torch.float64)))
    elif len(schema.event) == 1:
        whitening, notes = whiten(rows, names(schema))
        parts.append(whitening)
    else:
        parts.append(_one_scale(rows))
    return Compose(tuple(parts)), notes


def one_scale(schema: Schema) -> bool:
    """Whether all coordinates share a unit, so that a noise level in it means something."""
    return isinstance(schema, ImageSchema) or len(schema.event) != 1


def names(schema: Schema) -> list[str]:
    """What messages call the coordinates of a row."""
    if isinstance(schema, TableSchema):
        return [column.name for column in schema.modelled]
    return [f"x[{j}]" for j in range(math.prod(schema.event))]


def _one_scale(rows: Tensor) -> Standardise:
    mean = rows.mean(0)
    spread = (rows - mean).square().mean().sqrt()
    return Standardise(mean, spread.expand(mean.shape).clone())
