"""Parquet, Feather and Arrow files to a table, the decoded size capped on the way."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scorematching.data.ipc import Malformed, decoded_size
from scorematching.data.origin import fault, regular_file
from scorematching.errors import DataError

CELL = 8  # bytes of a decoded number
BATCH = 65_536  # rows
THRIFT = {"thrift_string_size_limit": 1 << 26, "thrift_container_size_limit": 1 << 22}


def column_names(path: Path) -> list[str]:
    """The column names of a Parquet, Feather or Arrow file.

    Raises
    ------
    DataError
        The file is missing, empty or damaged.
    """
    regular_file(path)
    try:
        if _is_parquet(path):
            with path.open("rb") as source, pq.ParquetFile(source, **THRIFT) as file:
                return list(file.schema_arrow.names)
        with path.open("rb") as source, pa.ipc.open_file(source) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def row_groups(path: Path) -> list[int]:
    """The number of rows of each row group of a Parquet file, as its metadata has them.

    Raises
    ------
    DataError
        The file is missing, empty or damaged.
    """
    regular_file(path)
    try:
        with path.open("rb") as source, pq.ParquetFile(source, **THRIFT) as file:
            metadata = file.metadata
            return [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def read_columns(
    path: Path, names: list[str], max_bytes: int, row_group: int | None = None
) -> pa.Table:
    """The named columns of a Parquet, Feather or Arrow file; text of Parquet as a dictionary.

    Of a Parquet file all row groups, or the one of the given number.

    Raises
    ------
    DataError
        The file is damaged, or its rows × columns would take more than ``max_bytes``.
    """
    regular_file(path)
    try:
        if _is_parquet(path):
            return _read_parquet(path, names, max_bytes, row_group)
        return _read_ipc(path, names, max_bytes)
    except (pa.ArrowException, Malformed, OSError) as error:
        raise _damaged(path, error) from error


def _read_parquet(path: Path, names: list[str], max_bytes: int, row_group: int | None) -> pa.Table:
    """Column by column, in batches, with a running sum of what was really decoded.

    A file of a few kilobytes can claim, and hold, terabytes of repeated values, and its metadata
    may claim less than it holds. Text is kept as a dictionary so that a repeated one is held
    once, and nested values, which no model takes, are not decoded at all.
    """
    with path.open("rb") as source, pq.ParquetFile(source, **THRIFT) as file:
        schema, metadata = file.schema_arrow, file.metadata
        some = metadata if row_group is None else metadata.row_group(row_group)
        rows, groups = some.num_rows, None if row_group is None else [row_group]
    if rows * len(names) * CELL > max_bytes:
        raise _too_large(path, rows, len(names), max_bytes)
    decoded = 0
    columns: list[pa.ChunkedArray] = []
    texts = [n for n in names if pa.types.is_string(schema.field(n).type)]
    with path.open("rb") as source, pq.ParquetFile(source, read_dictionary=texts, **THRIFT) as file:
        for name in names:
            kind = schema.field(name).type
            if pa.types.is_nested(kind):
                columns.append(pa.chunked_array([pa.nulls(rows, kind)]))
                continue
            chunks = []
            size = max(1, min(BATCH, max_bytes // CELL))
            for batch in file.iter_batches(
                size, row_groups=groups, columns=[name], use_threads=False
            ):
                decoded += max(batch.nbytes, batch.num_rows * CELL)
                if decoded > max_bytes:
                    raise _too_large(path, rows, len(names), max_bytes)
                # Arrow also gives columns whose names go on after a point: x.y with x.
                chunks.append(batch.column(batch.schema.get_field_index(name)))
            columns.append(pa.chunked_array(chunks, None if chunks else kind))
    return pa.Table.from_arrays(columns, names)


def _read_ipc(path: Path, names: list[str], max_bytes: int) -> pa.Table:
    with path.open("rb") as headers:
        promised = decoded_size(headers)
    with path.open("rb") as source, pa.ipc.open_file(source) as reader:
        places = [reader.schema.get_field_index(name) for name in names]
        if promised > max_bytes:
            raise fault(
                path,
                f"{promised:,} decoded bytes are more than the limit of {max_bytes:,}. "
                "Split the file, or raise max_bytes.",
            )
        schema = pa.schema([reader.schema.field(name) for name in names])
        options = pa.ipc.IpcReadOptions(included_fields=places)
    batches: list[pa.RecordBatch] = []
    rows = 0
    with path.open("rb") as source, pa.ipc.open_file(source, options=options) as reader:
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            rows += batch.num_rows
            if rows * len(names) * CELL > max_bytes:
                raise _too_large(path, rows, len(names), max_bytes)
            batches.append(batch.select(names))
    return pa.Table.from_batches(batches, schema)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _damaged(path: Path, error: Exception) -> DataError:
    return fault(path, f"damaged, or not what its ending says: {error}")


def _too_large(path: Path, rows: int, columns: int, max_bytes: int) -> DataError:
    return fault(
        path,
        f"{rows:,} rows × {columns} columns decode to more than the limit of "
        f"{max_bytes:,} bytes. Read fewer columns, split the file, or raise max_bytes.",
    )
