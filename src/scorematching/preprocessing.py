"""From rows in their own units to rows a network likes, chosen by the form of the data."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scorematching.data import Dataset, ImageSchema, Schema, TableSchema
from scorematching.data.transform import (
    Compose,
    Standardise,
    Transform,
    bounds_of,
    standardise,
    whiten,
)
from scorematching.errors import InvalidInput
from scorematching.noise import EDM
from scorematching.shapes import event_size, positive

ROUNDING = 1e-12  # of a noise level in other units


def preprocessing(data: Dataset, rows: Tensor) -> tuple[Compose, tuple[str, ...]]:
    """The invertible map to standardised rows, its constants taken from rows ``(n, *event)``.

    Bounded columns go through a log or logit first. Rows of one axis are whitened: decorrelated,
    each direction of unit variance. Images and other arrays are centred, and scaled by one number
    to unit mean variance: a noise level means the same whatever range the pixels could have.

    Parameters
    ----------
    data
        Where the rows are from.
    rows
        The training rows in float64, whole numbers dequantised.

    Returns
    -------
    Compose, tuple of str
        The map, and what a user should know about it: columns that nearly determine each other,
        fewer rows than coordinates.

    Raises
    ------
    InvalidInput
        A value lies outside its bounds, or the rows are all the same.
    """
    schema = data.schema
    parts: list[Transform] = []
    notes = _few_rows(len(rows), event_size(rows))
    if isinstance(schema, TableSchema):
        bounds = bounds_of(schema)
        if bounds is not None:
            parts.append(bounds)
            rows = bounds.forward(rows)
    if one_scale(schema):
        parts.append(_one_scale(rows))
    else:
        whitening, notes = whiten(rows, names(schema))
        parts.append(whitening)
    return Compose(tuple(parts)), notes


def one_scale(schema: Schema) -> bool:
    """Whether all coordinates share a unit, so that a noise level in it means something."""
    return isinstance(schema, ImageSchema) or len(schema.event) != 1


def level_of(sigma: Tensor | float | None, transform: Compose, schema: Schema, noise: EDM) -> float:
    """The noise level of preprocessed rows that sigma is, the lowest one for None.

    sigma is in the units of the data where all coordinates share one, else in preprocessed ones.

    Raises
    ------
    InvalidInput
        sigma is no positive number, or outside the levels of the process.
    """
    low, high = noise.sigma_min, noise.sigma_max
    if sigma is None:
        return low
    level = positive(sigma, "sigma")
    if level.numel() != 1:
        raise InvalidInput(f"sigma must be one number: got shape {tuple(level.shape)}.")
    unit = 1.0
    if one_scale(schema):
        origin = torch.zeros(1, *schema.event, dtype=torch.float64)
        unit = math.exp(transform.log_abs_det_jacobian(origin).item() / event_size(origin))
    value = level.item() * unit
    if not low * (1 - ROUNDING) <= value <= high * (1 + ROUNDING):
        raise InvalidInput(
            f"sigma must lie within the noise levels of the model, {low / unit:g} to "
            f"{high / unit:g}: got {level.item():g}."
        )
    return min(max(value, low), high)


def names(schema: Schema) -> list[str]:
    """What messages call the coordinates of a row."""
    if isinstance(schema, TableSchema):
        return [column.name for column in schema.modelled]
    return [f"x[{j}]" for j in range(math.prod(schema.event))]


def _one_scale(rows: Tensor) -> Standardise:
    """The means of the coordinates, and the root of their mean variance."""
    each = standardise(rows)
    # A constant coordinate has the scale 1 there, which says nothing about its spread.
    spread = torch.where((rows == rows[:1]).all(0), torch.zeros_like(each.scale), each.scale)
    largest = spread.max()
    if largest == 0:
        raise InvalidInput(
            f"the {len(rows)} rows to fit are all the same: there is nothing to learn from them."
        )
    scale = largest * (spread / largest).square().mean().sqrt()
    return Standardise(each.mean, scale.expand(each.mean.shape).clone())


def _few_rows(n: int, d: int) -> tuple[str, ...]:
    if n > d:
        return ()
    return (
        f"{n} rows span at most {n - 1} of {d} directions: the others are regularised. "
        "Bring more rows if you can.",
    )
