"""Data in words, and the file name that samples of them go by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scorematching.data import Column, Dataset, ImageSchema, Kind, Schema, Stream, TableSchema
from scorematching.data.tables import TABLE_ENDINGS
from scorematching.data.writing import ARRAY_ENDINGS

SHOWN = 6


def described(data: Dataset | Stream) -> str:
    """Rows, columns and kinds on one line."""
    schema = data.schema
    if isinstance(schema, TableSchema):
        text = f"{data.n:,} rows × {_counted(len(schema.modelled), 'column')}{_kinds(schema)}"
    elif isinstance(schema, ImageSchema):
        channels, height, width = schema.shape
        text = f"{data.n:,} images of {height} × {width} pixels, {_counted(channels, 'channel')}"
    else:
        text = f"{data.n:,} rows of shape {schema.event}"
    if schema.label is not None:
        text += f"; label {schema.label.name!r} of {_counted(len(schema.label.classes), 'class')}"
    if schema.condition:
        text += f"; given {_listed(schema.condition)}"
    return text


def samples_name(source: str, schema: Schema) -> str:
    """Where samples may be written, in the form of the data: a file, or a folder of images."""
    ending = "" if source.startswith("builtin:") else Path(source).suffix.lower()
    if isinstance(schema, TableSchema):
        return f"samples{ending if ending in TABLE_ENDINGS else '.csv'}"
    if isinstance(schema, ImageSchema) and ending not in ARRAY_ENDINGS:
        return "samples"
    return "samples.npy" if schema.label is None else "samples.npz"


def _kinds(schema: TableSchema) -> str:
    parts = []
    whole = [each for each in schema.modelled if each.kind is Kind.INTEGER]
    bounded = [each for each in schema.modelled if (each.low, each.high) != (None, None)]
    if whole:
        parts.append(f"whole numbers in {_listed([each.name for each in whole])}")
    if bounded:
        parts.append(f"bounds on {_listed([_bounded(each) for each in bounded])}")
    return f" ({'; '.join(parts)})" if parts else ""


def _bounded(column: Column) -> str:
    low = "" if column.low is None else f"{column.low:g}"
    high = "" if column.high is None else f"{column.high:g}"
    return f"{column.name} {low}:{high}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _counted(n: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"
