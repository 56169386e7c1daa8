"""Whole numbers spread over their unit intervals, so that they have a density."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.data.schema import Kind, Schema, TableSchema
from scorematching.errors import InvalidInput
from scorematching.random import uniform

#: Keeps the draw off the ends of the interval, where a logit would be infinite.
MARGIN = 2.0**-40


def whole_coordinates(schema: Schema) -> Tensor:
    """Which coordinates of a row hold whole numbers: bool, of a shape that broadcasts."""
    if isinstance(schema, TableSchema):
        return torch.tensor([column.kind is Kind.INTEGER for column in schema.modelled])
    return torch.tensor(schema.integer)


def dequantise(values: Tensor, schema: Schema, generator: torch.Generator | None = None) -> Tensor:
    """x + u with u ~ U(−½, ½) at whole-number coordinates; the others as they are.

    The density p of the result gives a bound on the probability of whole numbers:
    E log p(x + u) ≤ log P(x) (Theis, van den Oord & Bethge 2016). Rounding takes x + u back to x.

    Parameters
    ----------
    values
        ``(n, *event)``.
    schema
        Says which coordinates hold whole numbers.
    generator
        Where the noise comes from.

    Raises
    ------
    InvalidInput
        values has another event shape than the schema.
    """
    if values.shape[1:] != schema.event:
        raise InvalidInput(
            f"values must have shape (n, {', '.join(map(str, schema.event))}): "
            f"got {tuple(values.shape)}."
        )
    values = values.to(torch.float64)
    whole = whole_coordinates(schema).to(values.device)
    if not bool(whole.any()):
        return values
    noise = (uniform(tuple(values.shape), values, generator) - 0.5) * (1 - MARGIN)
    return torch.where(whole, values + noise, values)
