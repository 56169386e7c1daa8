"""Parquet, Feather and Arrow files to a table, the decoded size capped on the way."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scorematching.data.origin import regular_file
from scorematching.errors import DataError

CELL = 8  # bytes of a decoded number


def column_names(path: Path) -> list[str]:
    """The column names of a Parquet, Feather or Arrow file.

    Raises
    ------
    DataError
        The file is missing, empty or damaged.
    """
    regular_file(path)
    try:
        if path.suffix.lower() == ".parquet":
            return list(pq.read_schema(path).names)
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error


def read_columns(path: Path, names: list[str], max_bytes: int) -> pa.Table:
    """The named columns of a Parquet, Feather or Arrow file.

    Raises
    ------
    DataError
        The file is damaged, or its rows × columns would take more than ``max_bytes``.
    """
    regular_file(path)
    read = _read_parquet if path.suffix.lower() == ".parquet" else _read_ipc
    try:
        return read(path, names, max_bytes)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error


def _read_parquet(path: Path, names: list[str], max_bytes: int) -> pa.Table:
    """In batches, with a running sum of what was really decoded.

    A file of a few kilobytes can claim, and hold, terabytes of repeated values; its metadata may
    claim less than it holds.
    """
    width = len(names) * CELL
    with pq.ParquetFile(path, thrift_string_size_limit=1 << 26) as file:
        if file.metadata.num_rows * width > max_bytes:
            raise too_large(path, file.metadata.num_rows, len(names), max_bytes)
        batches: list[pa.RecordBatch] = []
        decoded, rows = 0, 0
        size = max(1, min(65_536, max_bytes // width))
        for batch in file.iter_batches(batch_size=size, columns=names):
            rows += batch.num_rows
            decoded += max(batch.nbytes, batch.num_rows * width)
            if decoded > max_bytes:
                raise too_large(path, rows, len(names), max_bytes)
            batches.append(batch.select(names))
        return pa.Table.from_batches(batches, _subset(file.schema_arrow, names))


def _read_ipc(path: Path, names: list[str], max_bytes: int) -> pa.Table:
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        batches: list[pa.RecordBatch] = []
        decoded, rows = 0, 0
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number).select(names)
            rows += batch.num_rows
            decoded += max(batch.nbytes, batch.num_rows * len(names) * CELL)
            if decoded > max_bytes:
                raise too_large(path, rows, len(names), max_bytes)
            batches.append(batch)
        return pa.Table.from_batches(batches, _subset(reader.schema, names))


def _subset(schema: pa.Schema, names: list[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


def damaged(path: Path, error: Exception) -> DataError:
    """The error for a file that Arrow cannot read."""
    return DataError(f"{path}: damaged, or not what its ending says: {error}")


def too_large(path: Path, rows: int, columns: int, max_bytes: int) -> DataError:
    """The error for a file that decodes to more than the limit."""
    return DataError(
        f"{path}: {rows:,} rows × {columns} columns decode to more than the limit of "
        f"{max_bytes:,} bytes. Read fewer columns, split the file, or raise max_bytes."
    )
