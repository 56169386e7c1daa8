"""Rows of a Parquet or CSV file, some thousands at a time: a file may be larger than memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.data.columnar import THRIFT, column_names
from scorematching.data.origin import fault, regular_file
from scorematching.data.selection import unknown
from scorematching.errors import InvalidInput

DELIMITERS = {".csv": ",", ".tsv": "\t"}
BUFFER = 2**16  # bytes of a column read at a time, so that a row group need not fit into memory
BLOCK = 2**22  # bytes of text parsed at a time
HEADER = 2**20  # bytes of a header line at most


@dataclass(frozen=True)
class Chunks:
    """The rows of a .parquet, .csv or .tsv file in portions, read anew at each pass.

    ``sm.estimate(family, Chunks("big.parquet", columns=["x", "y"]))``.

    Parameters
    ----------
    path
        The file. A text file names its columns in its first line.
    columns
        The columns of a row, in this order; None: all, in the order of the file.
    rows
        In a portion, at most. Memory goes with rows × columns × 8 bytes, a few times over.
    drop
        Columns to leave out.

    Raises
    ------
    DataError
        The file is missing, empty or damaged; a column is unknown or named twice; while reading, a
        cell is missing or not a number: its row is named.
    InvalidInput
        The ending is none of the three, or rows is no positive integer.
    """

    path: str | Path
    columns: Sequence[str] | None = None
    rows: int = 65_536
    drop: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.rows, bool) or not isinstance(self.rows, int) or self.rows < 1:
            raise InvalidInput(f"rows must be an integer of at least 1: got {self.rows!r}.")
        for option, given in (("columns", self.columns), ("drop", self.drop)):
            if isinstance(given, str):
                raise InvalidInput(f"{option} must be a list of names: got the text {given!r}.")
        if not self.names:
            raise fault(self.path, "no column is left. Drop fewer, or name some in columns.")

    def __str__(self) -> str:
        return str(self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a row."""
        there = self._header()
        for option, given in (("columns", self.columns or ()), ("drop", self.drop)):
            for name in given:
                if name not in there:
                    raise fault(self.path, unknown(option, name, there))
        asked = there if self.columns is None else list(self.columns)
        twice = next((name for name in asked if asked.count(name) > 1), None)
        if twice is not None:
            raise fault(self.path, f"two columns have the same name {twice!r}. Rename one.")
        return tuple(name for name in asked if name not in self.drop)

    def portions(self, d: int) -> Iterator[Tensor]:
        """The rows, ``(m, d)`` at a time, in float64, from the first on.

        Raises
        ------
        DataError
            There are other than d columns, or as the class says.
        """
        names = self.names
        if len(names) != d:
            shown = ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
            raise fault(
                self.path,
                f"expected rows of {d} columns, got {len(names)}: {shown}. Choose with "
                "Chunks(path, columns=[…]).",
            )
        done = 0
        for batch in self._batches(names, None):
            columns = [self._numbers(batch, name, done) for name in names]
            yield torch.from_numpy(np.stack(columns)).mT
            done += batch.num_rows

    def column(self, name: str) -> NDArray[Any]:
        """One column of numbers or text in memory, ``(n,)``: labels of clusters, say.

        Raises
        ------
        DataError
            There is no such column, or a cell is missing.
        """
        there = self._header()
        if name not in there:
            raise fault(self.path, unknown("column", name, there))
        parts = []
        for batch in self._batches((name,), {name: pa.string()}):
            cells = batch.column(batch.schema.get_field_index(name))
            if cells.null_count:
                raise fault(self.path, f"column {name!r} has missing cells. Drop those rows.")
            parts.append(cells.to_numpy(zero_copy_only=False))
        return np.concatenate(parts)

    def _header(self) -> list[str]:
        path = Path(self.path)
        if path.suffix.lower() == ".parquet":
            return column_names(path)
        if path.suffix.lower() not in DELIMITERS:
            raise InvalidInput(
                f"{path}: portions are read of .parquet, .csv and .tsv files: got "
                f"{path.suffix!r}. Read the rows yourself and pass them as an array."
            )
        regular_file(path)
        with path.open("rb") as file:
            raw = file.readline(HEADER)
        try:
            names = next(csv.reader([raw.decode("utf-8-sig")], delimiter=self._delimiter))
        except (UnicodeDecodeError, csv.Error, StopIteration) as error:
            raise fault(path, f"line 1 does not name the columns: {error}.") from error
        return [name.strip() for name in names]

    @property
    def _delimiter(self) -> str:
        return DELIMITERS[Path(self.path).suffix.lower()]

    def _batches(
        self, names: Sequence[str], text: dict[str, pa.DataType] | None
    ) -> Iterator[pa.RecordBatch]:
        """Record batches of at most `rows` rows; numbers in text files become float64."""
        path = Path(self.path)
        try:
            if path.suffix.lower() == ".parquet":
                with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False, **THRIFT) as file:
                    yield from file.iter_batches(self.rows, columns=names, use_threads=False)
                return
            read = pacsv.ReadOptions(
                column_names=self._header(), skip_rows=1, block_size=BLOCK, use_threads=False
            )
            parse = pacsv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True)
            convert = pacsv.ConvertOptions(
                column_types=text or dict.fromkeys(names, pa.float64()),
                include_columns=list(names),
                null_values=[],
            )
            with pacsv.open_csv(path, read, parse, convert) as reader:
                for batch in reader:
                    for first in range(0, batch.num_rows, self.rows):
                        yield batch.slice(first, self.rows)
        except (pa.ArrowException, OSError) as error:
            raise fault(path, f"cannot be read: {str(error).splitlines()[0]}") from error

    def _numbers(self, batch: pa.RecordBatch, name: str, done: int) -> NDArray[np.float64]:
        """One column as float64; DataError for a cell that is missing or no finite number."""
        cells = batch.column(batch.schema.get_field_index(name))
        kind = cells.type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not numeric and not pa.types.is_boolean(kind):
            raise fault(
                self.path,
                f"column {name!r} must hold numbers: got {kind}. Leave it out (drop=[{name!r}]).",
            )
        values: NDArray[np.float64] = cells.to_numpy(zero_copy_only=False).astype(
            np.float64, copy=False
        )
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            what = "missing" if not cells[int(bad[0])].is_valid else str(values[bad[0]])
            raise fault(
                self.path,
                f"column {name!r} must hold finite numbers: got {what} (row {done + int(bad[0])}, "
                "counting from 0). Drop or fill such rows first.",
            )
        return values
