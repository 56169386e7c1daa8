"""Data that are already in memory: pandas and polars frames, Arrow tables, arrays and tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from scorematching.data.arrays import from_array
from scorematching.data.dataset import Dataset
from scorematching.data.origin import Origin, option
from scorematching.data.schema import Schema, TableSchema
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
    condition: Sequence[str] = (),
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
    selection = Selection(columns, drop, label, positive, bounds or {}, condition)
    return from_arrow(as_arrow(frame, origin), origin, selection, like)


def as_arrow(frame: Any, origin: Origin) -> pa.Table:
    """An Arrow table of a pandas or polars DataFrame, or the table itself.

    Raises
    ------
    DataError
        frame is none of the three, or a column mixes types.
    """
    library, kind = _library(frame), type(frame).__name__
    if isinstance(frame, pa.Table):
        return frame
    if library == "pandas" and kind == "DataFrame":
        return _from_pandas(frame, origin)
    if library == "polars" and kind == "DataFrame":
        return frame.to_arrow()
    raise DataError(
        f"expected a pandas or polars DataFrame or an Arrow table: got {library} {kind}. "
        "Make a frame of a series with to_frame(), collect a lazy frame with collect()."
    )


def as_dataset(
    data: Any,
    labels: Any = None,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
    condition: Sequence[str] = (),
    like: Schema | None = None,
) -> Dataset:
    """A Dataset of whatever holds rows in memory: a Dataset, a frame, an array or a tensor.

    Parameters
    ----------
    data
        See `from_frame` and `from_array`.
    labels
        One class per row, for arrays and tensors.
    columns, drop, label, positive, bounds, condition
        For frames: see `read_table`.
    like
        The schema of a fitted model, whose form the rows must have.

    Raises
    ------
    DataError
        As those two; or an option does not apply to such data.
    """
    options = {"columns": columns, "drop": drop, "label": label}
    options |= {"positive": positive, "bounds": bounds, "condition": condition}
    given = [name for name, value in options.items() if value]
    if is_frame(data):
        if labels is not None:
            raise DataError("name the label column of a frame: label='NAME' instead of labels=…")
        if like is not None and not isinstance(like, TableSchema):
            raise DataError(f"the model was fitted to {like.event} arrays: got a frame.")
        return from_frame(
            data,
            columns=columns, drop=drop, label=label, positive=positive, bounds=bounds,
            condition=condition, like=like,
        )  # fmt: skip
    if given:
        raise DataError(
            f"{', '.join(given)} name columns, which a {type(data).__name__} does not have. "
            "Make a frame of it: pandas.DataFrame(x, columns=[…])."
        )
    if isinstance(data, Dataset):
        if labels is not None or like is not None:
            raise DataError("a Dataset has its labels and schema already: give neither.")
        return data
    if isinstance(like, TableSchema):
        raise DataError("the model was fitted to a table: give a frame with its columns.")
    return from_array(data, labels, like=like)


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
                f"pandas.to_numeric, or leave it out ({option('drop', name)})."
            ) from error
    if not columns:
        raise origin.error("the frame has no columns.")
    arrays = [c if isinstance(c, pa.ChunkedArray) else pa.chunked_array([c]) for c in columns]
    return pa.Table.from_arrays(arrays, names=names)
