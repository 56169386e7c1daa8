"""Numbers that are given of rows and not modelled: a condition, beside arrays or frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorematching.data.arrays import as_numpy, check_cells, check_numeric
from scorematching.data.column import Column, Kind
from scorematching.data.dataset import Dataset
from scorematching.data.frames import as_arrow, is_frame
from scorematching.data.numbers import numbers
from scorematching.data.origin import Origin
from scorematching.data.schema import Schema, TableSchema
from scorematching.data.selection import constant_condition

ORIGIN = Origin("condition")
Numbers = NDArray[np.float64]


def conditioned(data: Dataset, condition: Any) -> Dataset:
    """Rows with what is given of each: an array, tensor or frame ``(n, k)``, or ``(n,)`` for k = 1.

    Names are those of a frame's columns, else c[0], c[1], …; in a table they are columns of the
    schema, after the others.

    Raises
    ------
    DataError
        The condition has other rows than the data, holds NaN or infinities or no numbers, or a
        column of it is constant, or the data are given one already.
    """
    if data.condition is not None:
        raise ORIGIN.error("the rows are given a condition already. Leave one of them out.")
    columns, given = _numbers(condition)
    names = tuple(column.name for column in columns)
    if len(given) != data.n:
        raise ORIGIN.error(
            f"expected one row of numbers for each of {data.n} rows: got {len(given)}."
        )
    constant = np.flatnonzero((given == given[:1]).all(0))
    if len(constant):
        first = int(constant[0])
        raise ORIGIN.error(constant_condition(names[first], float(given[0, first])))
    if not isinstance(data.schema, TableSchema):
        schema: Schema = replace(data.schema, condition=names)
    else:
        schema = replace(data.schema, columns=(*data.schema.columns, *columns), condition=names)
    return replace(data, schema=schema, condition=given)


def condition_like(schema: Schema, condition: Any, n: int) -> Numbers:
    """The condition of n rows, ``(n, k)``, for a model that was fitted to a schema with one.

    One row of k numbers, or a mapping of names to numbers, holds for all.

    Raises
    ------
    DataError
        The schema has no condition; or the numbers are not k a row, not n rows, or not finite.
    """
    wanted = schema.condition
    if not wanted:
        raise ORIGIN.error("the model was fitted without a condition: leave it out.")
    if isinstance(condition, Mapping):
        _check_names(wanted, list(map(str, condition)))
        cells = np.broadcast_arrays(*(np.atleast_1d(condition[name]) for name in wanted))
        condition = np.stack(cells, axis=1)
    columns, given = _numbers(condition, len(wanted))
    if _is_table(condition):
        names = [column.name for column in columns]
        _check_names(wanted, names)
        given = given[:, [names.index(name) for name in wanted]]
    if given.shape[1] != len(wanted):
        raise ORIGIN.error(
            f"the model was fitted with {len(wanted)} numbers a row, {', '.join(wanted)}: got "
            f"{given.shape[1]}."
        )
    if len(given) not in (1, n):
        raise ORIGIN.error(
            f"expected one row of numbers, or one for each of {n}: got {len(given)}."
        )
    return np.array(np.broadcast_to(given, (n, len(wanted))))


def _numbers(condition: Any, k: int | None = None) -> tuple[tuple[Column, ...], Numbers]:
    """Columns and finite numbers ``(n, k)``; one axis is one row where k > 1 is known."""
    if _is_table(condition):
        table = as_arrow(condition, ORIGIN)
        found = numbers(dict(zip(table.column_names, table.columns, strict=True)), ORIGIN)
        columns = tuple(Column(each.name, each.kind) for each in found.values())
        return columns, np.column_stack([each.values for each in found.values()])
    array = as_numpy(condition, ORIGIN)
    check_numeric(array, ORIGIN)
    if array.ndim < 2:
        array = array.reshape(-1, 1) if k in (None, 1) else array.reshape(1, -1)
    if array.ndim != 2 or 0 in array.shape:
        raise ORIGIN.error(
            f"expected k numbers a row, shape (n, k) or (n,): got {array.shape}. Put other shapes "
            "into columns: c.reshape(len(c), -1)."
        )
    check_cells(array, ORIGIN)
    columns = tuple(Column(f"c[{j}]", Kind.REAL) for j in range(array.shape[1]))
    return columns, array.astype(np.float64)


def _is_table(condition: Any) -> bool:
    """Whether it has named columns; a series has but one, and counts as an array."""
    return is_frame(condition) and type(condition).__name__ != "Series"


def _check_names(wanted: tuple[str, ...], got: list[str]) -> None:
    if sorted(wanted) != sorted(got):
        raise ORIGIN.error(
            f"the model was fitted with the condition {', '.join(map(repr, wanted))}: got "
            f"{', '.join(map(repr, got)) or 'none'}."
        )
