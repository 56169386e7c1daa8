"""Files that decode to far more than they weigh are refused before that is allocated."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from scorematching.data.columnar import column_names, read_columns
from scorematching.errors import DataError

ROWS = 2_000_000
MEGABYTE = 1 << 20


def bomb(path: Path) -> Path:
    """Constant columns: 32 MB that are stored in a few kilobytes."""
    table = pa.table({"a": np.zeros(ROWS), "b": np.zeros(ROWS)})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        feather.write_feather(table, str(path), compression="zstd")
    assert path.stat().st_size < MEGABYTE / 4
    return path


@pytest.fixture
def pool() -> Iterator[pa.MemoryPool]:
    """A pool that counts what Arrow allocates during one test."""
    usual = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counting)
    yield counting
    pa.set_memory_pool(usual)


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
def test_a_decompression_bomb_is_refused_without_the_memory(
    tmp_path: Path, ending: str, pool: pa.MemoryPool
) -> None:
    path = bomb(tmp_path / f"bomb{ending}")
    before = pool.max_memory()
    with pytest.raises(DataError, match=f"bomb{ending}: .* more than the limit of 1,048,576"):
        read_columns(path, ["a", "b"], MEGABYTE)
    assert pool.max_memory() - before < 4 * MEGABYTE
    assert read_columns(path, ["a", "b"], 64 * MEGABYTE).num_rows == ROWS
    assert pool.max_memory() - before > 16 * MEGABYTE  # so that the measure measures


def test_a_feather_buffer_that_claims_a_terabyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claim.feather"
    feather.write_feather(pa.table({"a": np.zeros(1000)}), str(path), compression="zstd")
    content = path.read_bytes()
    claim = (8000).to_bytes(8, "little")
    assert content.count(claim) == 1
    path.write_bytes(content.replace(claim, (1 << 40).to_bytes(8, "little")))
    with pytest.raises(DataError, match="decoded bytes are more than the limit"):
        read_columns(path, ["a"], MEGABYTE)


class Claim:
    """Metadata that say one row."""

    num_rows = 1

    def __init__(self, metadata: pq.FileMetaData) -> None:
        self.num_row_groups = metadata.num_row_groups


def test_a_name_that_starts_another_name_is_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    pq.write_table(pa.table({"x.y": [1.0, 2.0], "x": [3.0, 4.0], "z": [5.0, 6.0]}), path)
    assert read_columns(path, ["x"], MEGABYTE).to_pydict() == {"x": [3.0, 4.0]}
    assert read_columns(path, ["x.y", "z"], MEGABYTE)["x.y"].to_pylist() == [1.0, 2.0]


def test_parquet_that_holds_more_than_its_metadata_says_is_stopped_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bomb(tmp_path / "liar.parquet")

    class Liar(pq.ParquetFile):  # type: ignore[misc]
        """A file whose footer claims one row."""

        @property
        def metadata(self) -> object:
            return Claim(super().metadata)

    monkeypatch.setattr("scorematching.data.columnar.pq.ParquetFile", Liar)
    with pytest.raises(DataError, match="more than the limit"):
        read_columns(path, ["a", "b"], MEGABYTE)


def test_repeated_long_text_is_held_once(tmp_path: Path) -> None:
    table = pa.table({"t": pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), ["x" * 10_000])})
    path = tmp_path / "text.parquet"
    pq.write_table(table.cast(pa.schema([("t", pa.dictionary(pa.int64(), pa.string()))])), path)
    tracemalloc.start()
    column = read_columns(path, ["t"], 16 * MEGABYTE)["t"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert column.nbytes < 4 * MEGABYTE  # a gigabyte as plain text
    assert peak < 64 * MEGABYTE


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
def test_a_damaged_file_is_named(tmp_path: Path, ending: str) -> None:
    whole = bomb(tmp_path / f"whole{ending}").read_bytes()
    path = tmp_path / f"cut{ending}"
    for content in (b"not this", whole[: len(whole) // 2], whole[len(whole) // 2 :], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"cut{ending}: damaged"):
            read_columns(path, ["a"], MEGABYTE * 64)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        column_names(path)
