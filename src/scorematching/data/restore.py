"""Samples in the input's own form: whole numbers rounded, declared bounds kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scorematching.data.labels import decode
from scorematching.data.layout import as_stored, channels_first
from scorematching.data.schema import (
    ArraySchema,
    Column,
    ImageSchema,
    Kind,
    Schema,
    TableSchema,
    without_condition,
)
from scorematching.errors import DataError

EXACT = 2.0**53


def check_values(
    values: NDArray[np.float64], schema: Schema, labels: NDArray[np.int64] | None
) -> None:
    """Raise if values are not finite rows of the schema, or labels are not indices of its classes.

    Raises
    ------
    DataError
        As said; the message names the first row.
    """
    if values.ndim == 0 or values.shape[1:] != schema.event:
        raise DataError(
            f"values must have shape (n, {', '.join(map(str, schema.event))}): got {values.shape}."
        )
    bad = np.logical_not(np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
    n_bad = int(np.count_nonzero(bad))
    if n_bad:
        raise DataError(
            f"{n_bad} of {len(values)} rows are not finite (first: row {int(np.argmax(bad))}). "
            "Leave out the chains that diverged."
        )
    if labels is None:
        return
    if schema.label is None:
        raise DataError("labels were given, and the schema has none.")
    if labels.shape != values.shape[:1]:
        raise DataError(f"labels must have shape ({len(values)},): got {labels.shape}.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(schema.label.classes):
        raise DataError(f"labels must be from 0 to {len(schema.label.classes) - 1}.")


def as_table(
    values: NDArray[np.float64],
    schema: TableSchema,
    labels: NDArray[np.int64] | None = None,
    condition: NDArray[np.float64] | None = None,
) -> pa.Table:
    """Columns ``(n,)`` in the input's order, constant ones and what is given of rows among them.

    Raises
    ------
    DataError
        As `check_values`.
    """
    check_values(values, schema, labels)
    if condition is None:
        schema = without_condition(schema)
    columns: list[tuple[str, pa.Array]] = []
    modelled = iter(values.T)
    given = {} if condition is None else dict(zip(schema.condition, condition.T, strict=True))
    for column in schema.columns:
        if column.name in given:
            cells = restored(given[column.name], column)
        elif column.constant is None:
            cells = restored(next(modelled), column)
        else:
            cells = restored(np.full(len(values), column.constant), column)
        columns.append((column.name, pa.array(cells)))
    if labels is not None and schema.label is not None:
        at = len(columns) if schema.label.position is None else schema.label.position
        columns.insert(at, (schema.label.name, label_array(labels, schema)))
    return pa.Table.from_arrays([cells for _, cells in columns], [name for name, _ in columns])


def restored(cells: NDArray[np.float64], column: Column) -> NDArray[np.float64] | NDArray[np.int64]:
    """A column's values within its declared bounds; an INTEGER one rounded to int64."""
    if column.kind is Kind.INTEGER:
        low = -EXACT if column.low is None else column.low
        high = EXACT if column.high is None else column.high
        return np.clip(np.rint(cells), low, high).astype(np.int64)
    # The bounds themselves are outside: exp or a logistic may round onto them.
    low = -np.inf if column.low is None else np.nextafter(column.low, np.inf)
    high = np.inf if column.high is None else np.nextafter(column.high, -np.inf)
    return np.clip(cells, low, high)


def label_array(labels: NDArray[np.int64], schema: Schema) -> pa.Array:
    """Class names as text, or as int64 if the input wrote whole numbers."""
    assert schema.label is not None
    integer = schema.label.integer
    return pa.array(decode(labels, schema.label), pa.int64() if integer else pa.string())


def as_array(values: NDArray[np.float64], schema: Schema) -> NDArray[np.generic]:
    """Rows in the dtype and layout that the input had.

    Raises
    ------
    DataError
        As `check_values`; or a value is too large for the dtype.
    """
    check_values(values, schema, None)
    if isinstance(schema, ImageSchema):
        return as_stored(pixels(values, schema), schema.layout)
    if isinstance(schema, TableSchema):
        return np.column_stack(
            [restored(v, c) for v, c in zip(values.T, schema.modelled, strict=True)]
        )
    dtype = np.dtype(schema.dtype)
    if schema.integer:
        info = np.iinfo(dtype)
        rounded = np.clip(np.rint(values), max(info.min, -EXACT), min(info.max, EXACT))
        return rounded.astype(dtype)
    if len(values) and np.abs(values).max() > np.finfo(dtype).max:
        raise DataError(f"a value of {np.abs(values).max():g} is too large for {dtype}.")
    return values.astype(dtype)


def as_rows(values: NDArray[np.float64], schema: Schema) -> NDArray[np.float64]:
    """Rows ``(n, *event)`` in float64, whole numbers rounded and declared bounds kept.

    Raises
    ------
    DataError
        As `as_array`.
    """
    exact = as_array(values, schema)
    if isinstance(schema, ImageSchema):
        exact = channels_first(exact, schema.layout)
    return np.ascontiguousarray(exact, dtype=np.float64)


def pixels(values: NDArray[np.float64], schema: ImageSchema) -> NDArray[np.generic]:
    """Pixel values within the range, ``(n, C, H, W)``; uint8 if the images hold whole numbers."""
    clipped = np.clip(values, schema.low, schema.high)
    if not schema.integer:
        return clipped
    whole = np.rint(clipped)
    return whole.astype(np.uint8 if schema.low >= 0 and schema.high <= 255 else np.int64)


def as_arrays(
    values: NDArray[np.float64],
    schema: ArraySchema | ImageSchema,
    labels: NDArray[np.int64] | None,
    condition: NDArray[np.float64] | None = None,
) -> Mapping[str, NDArray[np.generic]]:
    """Arrays by name for an NPZ file: x, y with labels, and c with a condition."""
    check_values(values, schema, labels)
    arrays = {"x": as_array(values, schema)}
    if condition is not None:
        arrays["c"] = condition
    if labels is not None and schema.label is not None:
        arrays["y"] = np.asarray(decode(labels, schema.label))
    return arrays
