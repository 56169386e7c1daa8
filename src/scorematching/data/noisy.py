"""The form of rows that noise was added to: whole numbers are no longer whole."""

from __future__ import annotations

from dataclasses import replace

from scorematching.data.column import Column, Kind
from scorematching.data.schema import Schema, TableSchema

HALF = 0.5


def noisy(schema: Schema) -> Schema:
    """A schema that takes any real number where the given one takes whole numbers.

    Declared bounds of such a column move out by a half, to those of the interval that each whole
    number stands for. Bounds of real columns stay: noise lives on the scale of their logarithms.
    Columns that were constant are left aside, whatever they hold now; those that are given carry no
    noise.
    """
    if not isinstance(schema, TableSchema):
        return schema
    return replace(schema, columns=(*map(_freed, schema.modelled), *schema.given))


def _freed(column: Column) -> Column:
    if column.kind is Kind.REAL:
        return column
    low = None if column.low is None else column.low - HALF
    high = None if column.high is None else column.high + HALF
    return replace(column, kind=Kind.REAL, low=low, high=high)
