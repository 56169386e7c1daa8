"""The decoded size of an Arrow file is known before it is decoded."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pyarrow as pa
import pytest

from scorematching.data.ipc import Malformed, decoded_size

TABLE = pa.table(
    {
        "a": np.zeros(10_000),
        "b": pa.array(["x", "y"] * 5_000).dictionary_encode(),
        "c": pa.array([1, None] * 5_000, pa.int32()),
    }
)


def saved(codec: str | None, rows: int = 1000) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_file(sink, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE, rows)
    return sink.getvalue()


@pytest.mark.parametrize("codec", [None, "zstd", "lz4"])
@pytest.mark.parametrize("rows", [700, 10_000])
def test_the_size_is_that_of_the_columns(codec: str | None, rows: int) -> None:
    size = decoded_size(io.BytesIO(saved(codec, rows)))
    # Buffers are padded to 64 bytes at most, three columns of two buffers a batch.
    padding = 64 * 8 * (10_000 // rows + 1)
    assert TABLE.nbytes <= size <= TABLE.nbytes + padding


def test_a_buffer_that_claims_more_is_believed() -> None:
    content = bytearray(saved("zstd", 10_000))
    honest = decoded_size(io.BytesIO(bytes(content)))
    at = content.index((80_000).to_bytes(8, "little"))  # column a: 10,000 numbers of 8 bytes
    content[at : at + 8] = (1 << 40).to_bytes(8, "little")
    assert decoded_size(io.BytesIO(bytes(content))) == honest - 80_000 + (1 << 40)


def test_cut_or_scrambled_bytes_are_malformed_or_of_some_size() -> None:
    content = saved("zstd")
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(content)
        for at in rng.integers(0, len(content), 8):
            broken[at] = rng.integers(256)
        cut = int(rng.integers(1, len(content)))
        for case in (bytes(broken), content[:cut], content[cut:]):
            with contextlib.suppress(Malformed):  # any other exception fails the test
                decoded_size(io.BytesIO(case))
