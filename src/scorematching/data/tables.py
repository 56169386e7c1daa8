"""Tables in CSV, TSV, Parquet, Feather and Arrow files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scorematching.data.columnar import column_names, read_columns
from scorematching.data.csvtext import read_csv_text
from scorematching.data.dataset import MAX_BYTES, Dataset, duplicate_notes
from scorematching.data.formulas import plain
from scorematching.data.labels import encode, encode_like
from scorematching.data.numbers import Numbers, numbers
from scorematching.data.numerals import parse_cells
from scorematching.data.origin import Origin, fault
from scorematching.data.schema import Column, LabelSchema, TableSchema, without_condition
from scorematching.data.selection import Bound, Selection, constant_condition, unknown

TEXT_ENDINGS = {".csv": ",", ".tsv": "\t"}
COLUMNAR_ENDINGS = (".parquet", ".feather", ".arrow")
TABLE_ENDINGS = (*TEXT_ENDINGS, *COLUMNAR_ENDINGS)


def read_table(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
    condition: Sequence[str] = (),
    like: TableSchema | None = None,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Rows of a table as float64 values ``(n, d)``.

    A column holds whole numbers (`Kind.INTEGER`) if the file writes them so: integer literals
    throughout in CSV and TSV, an integer type in Parquet and Feather. Constant columns are set
    aside in the schema. Rows are named by their line in text files and counted from 0 elsewhere.

    Parameters
    ----------
    path
        A file that ends in .csv, .tsv, .parquet, .feather or .arrow.
    columns, drop, label, positive, bounds, condition
        See `Selection`.
    like
        Read rows for a model that was fitted to this schema: its columns by name, its kinds,
        bounds and classes; other columns are left aside, and no other option is allowed. Labels
        and the condition are read if the file has them.
    max_bytes
        Largest decoded size.

    Raises
    ------
    DataError
        The file or an option cannot be used; the message names file, line or row, and column.
    """
    path = Path(path)
    selection = Selection(columns, drop, label, positive, bounds or {}, condition)
    if path.suffix.lower() in TEXT_ENDINGS:
        table, origin, notes = read_csv_text(path, TEXT_ENDINGS[path.suffix.lower()], max_bytes)
    elif path.suffix.lower() in COLUMNAR_ENDINGS:
        origin, notes = Origin(str(path)), ()
        names = column_names(path)
        origin.check_unique(names)
        wanted = set(wanted_names(names, selection, like, origin))
        table = read_columns(path, [name for name in names if name in wanted], max_bytes)
        selection = replace(selection, drop=())
    else:
        raise fault(path, f"a table must end in {', '.join(TABLE_ENDINGS)}: got {path.suffix!r}.")
    return from_arrow(table, origin, selection, like).with_notes(*notes)


def wanted_names(
    names: Sequence[str], selection: Selection, like: TableSchema | None, origin: Origin
) -> list[str]:
    """The columns to read, the label last."""
    if like is None:
        label = selection.label
        kept = [*selection.modelled(names, origin), *selection.condition]
        if selection.columns is None:
            kept = [name for name in names if name in kept]
        return [*kept, *([] if label is None else [label])]
    if selection.given:
        raise origin.error("the columns are those of the fitted model: give no column options.")
    if not any(name in names for name in like.condition):
        like = without_condition(like)
    for column in like.columns:
        if column.name not in names:
            raise origin.error(unknown("the model", column.name, names))
    wanted = [column.name for column in like.columns]
    if like.label is not None and like.label.name in names:
        wanted.append(like.label.name)
    return wanted


def from_arrow(
    table: pa.Table, origin: Origin, selection: Selection, like: TableSchema | None = None
) -> Dataset:
    """Typed columns, or text cells of a CSV file, as a Dataset; see `read_table`.

    Raises
    ------
    DataError
        As `read_table`.
    """
    names = list(table.column_names)
    origin.check_unique(names)
    if table.num_rows == 0:
        raise origin.error(f"the table has no rows ({len(names)} columns).")
    wanted = wanted_names(names, selection, like, origin)
    label_name = selection.label
    if like is not None and like.label is not None:
        label_name = like.label.name
    modelled = [name for name in wanted if name != label_name]
    found = numbers({name: _cells(table, name, origin) for name in modelled}, origin)
    cells = label_cells(table[label_name], origin) if label_name in wanted else None
    if like is not None:
        return _fitted(found, like, cells, origin)
    if table.num_rows == 1:
        raise origin.error("the table has one row: a density needs two rows or more.")
    found = {name: declared(each, selection) for name, each in found.items()}
    label_schema: LabelSchema | None = None
    labels: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    if cells is not None and label_name is not None:
        before = names[: names.index(label_name)]
        position = sum(name in modelled for name in before)
        label_schema, labels, notes = encode(label_name, cells, origin, position)
    data = _assemble(found, tuple(selection.condition), label_schema, labels, origin)
    return data.with_notes(*notes)


def declared(column: Numbers, selection: Selection) -> Numbers:
    """The column with the bounds that the user declares."""
    low, high = selection.bound(column.name, column.kind)
    return replace(column, low=low, high=high)


def _cells(table: pa.Table, name: str, origin: Origin) -> pa.ChunkedArray:
    return table[name] if origin.text is None else parse_cells(name, table[name], origin)


def label_cells(cells: pa.ChunkedArray, origin: Origin) -> list[object]:
    """The cells of a label column as Python objects, quotes of formulas taken off."""
    values: list[object] = cells.to_pylist()
    if origin.text is None:
        return values
    return [plain(value.strip()) if isinstance(value, str) else value for value in values]


def _assemble(
    found: dict[str, Numbers],
    condition: tuple[str, ...],
    label: LabelSchema | None,
    labels: NDArray[np.int64] | None,
    origin: Origin,
) -> Dataset:
    for each in found.values():
        each.check_bounds(origin)
    columns = tuple(each.column() for each in found.values())
    for column in columns:
        if column.name in condition and column.constant is not None:
            raise origin.error(constant_condition(column.name, column.constant))
    notes = [
        note
        for each, column in zip(found.values(), columns, strict=True)
        if column.constant is None and column.name not in condition
        for note in each.notes()
    ]
    notes += constant_note([each for each in columns if each.name not in condition], origin)
    schema = TableSchema(columns, label, condition)
    values = stacked(found, [column.name for column in schema.modelled])
    given = stacked(found, list(condition)) if condition else None
    notes += duplicate_notes(values, labels, given)
    return Dataset(values, schema, labels, tuple(notes), given)


def constant_note(columns: Sequence[Column], origin: Origin) -> tuple[str, ...]:
    """A note on constant columns, if there are any.

    Raises
    ------
    DataError
        All of them are.
    """
    constant = [column for column in columns if column.constant is not None]
    if len(constant) == len(columns):
        raise origin.error("every column is constant: there is no density to learn.")
    if not constant:
        return ()
    listing = ", ".join(f"{column.name!r} = {column.constant:.12g}" for column in constant)
    return (f"constant columns are left out of the model and given back as they are: {listing}.",)


def _fitted(
    found: dict[str, Numbers], like: TableSchema, cells: list[object] | None, origin: Origin
) -> Dataset:
    """Rows for a model that was fitted to the schema ``like``."""
    if not any(name in found for name in like.condition):
        like = without_condition(like)
    for column in like.columns:
        found[column.name].check_like(column, origin)
    values = stacked(found, [column.name for column in like.modelled])
    given = stacked(found, list(like.condition)) if like.condition else None
    if like.label is None or cells is None:
        return Dataset(values, replace(like, label=None), condition=given)
    return Dataset(values, like, encode_like(like.label, cells, origin), condition=given)


def stacked(found: dict[str, Numbers], names: list[str]) -> NDArray[np.float64]:
    """The named columns side by side, ``(n, d)``."""
    return np.column_stack([found[name].values for name in names])
