"""Data that are already in memory: pandas and polars frames, Arrow tables, arrays and tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from scorematching.data.arrays import from_array
from scorematching.data.dataset import Dataset
from scorematching.data.origin import Origin
from scorematching.data.schema import TableSchema
from scorematching.data.selection import Bound, Selection
from scorematching.data.tables import from_arrow
from scorematching.errors import DataError


def is_frame(data: object) -> bool:
    """Whether data is a pandas or polars frame or an Arrow table; imports neither library."""
    return isinstance(data, pa.Table) or _library(data) in ("pandas", "polars")


def from_frame(
    frame: Any,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
    like: TableSchema | None = None,
) -> Dataset:
    """Rows of a pandas or polars DataFrame or an Arrow table; options as for `read_table`.

    Integer dtypes make columns of whole numbers. A pandas index is not a column.

    Raises
    ------
    DataError
        frame is none of the three, or as `read_table`.
    """
    library = _library(frame)
    kind = type(frame).__name__
    origin = Origin("Arrow table" if isinstance(frame, pa.Table) else f"{library} {kind}")
    if isinstance(frame, pa.Table):
        table = frame
    elif library == "pandas" and kind == "DataFrame":
        table = _from_pandas(frame, origin)
    elif library == "polars" and kind == "DataFrame":
        table = frame.to_arrow()
    else:
        raise DataError(
            f"expected a pandas or polars DataFrame or an Arrow table: got {library} {kind}. "
            "Make a frame of a series with to_frame(), collect a lazy frame with collect()."
        )
    return from_arrow(table, origin, Selection(columns, drop, label, positive, bounds or {}), like)


def as_dataset(data: Any, **options: Any) -> Dataset:
    """A Dataset from whatever holds rows in memory: `from_frame` or `from_array`.

    Raises
    ------
    DataError
        As those two; or options are given with a Dataset.
    """
    if isinstance(data, Dataset):
        if options:
            raise DataError(f"a Dataset takes no options: got {', '.join(sorted(options))}.")
        return data
    return from_frame(data, **options) if is_frame(data) else from_array(data, **options)


def _library(data: object) -> str:
    return type(data).__module__.partition(".")[0]


def _from_pandas(frame: Any, origin: Origin) -> pa.Table:
    names = [str(name) for name in frame.columns]
    columns = []
    for position, name in enumerate(names):
        try:
            columns.append(pa.Array.from_pandas(frame.iloc[:, position]))
        except (pa.ArrowException, TypeError) as error:
            raise origin.error(
                f"column {name!r} mixes types or holds objects ({error}). Convert it with "
                f"pandas.to_numeric, or leave it out (--drop {name})."
            ) from error
    if not columns:
        raise origin.error("the frame has no columns.")
    arrays = [c if isinstance(c, pa.ChunkedArray) else pa.chunked_array([c]) for c in columns]
    return pa.Table.from_arrays(arrays, names=names)
