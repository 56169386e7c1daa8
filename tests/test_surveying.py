"""The constants that one pass over a stream gives are those of the rows in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from scorematching import surveying
from scorematching.data import Dataset, Stream, arraygroups, read, stream
from scorematching.errors import InvalidInput
from scorematching.nets import GaussianBase
from scorematching.preprocessing import preprocessing
from scorematching.streaming import PreparedGroups, positions
from scorematching.surveying import constants

RNG = np.random.default_rng(11)
N = 900
NONE = torch.empty(0, dtype=torch.int64)
DOUBLE = torch.float64


def table(path: Path, **columns: Any) -> Path:
    z = RNG.normal(size=(N, 3))
    given = {
        "a": 1e9 + z[:, 0],
        "b": 1e-6 * (z[:, 1] + 0.9 * z[:, 0]),
        "p": np.exp(z[:, 2] + z[:, 1]),
        "class": RNG.choice(["u", "v"], N),
        **columns,
    }
    pq.write_table(pa.table(given), path, row_group_size=130)
    return path


def images(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pixels = RNG.normal(size=(N, 6, 8)).cumsum(1).cumsum(2)
    pixels[:, 0, 0] = 3.0
    np.save(path, (8 * pixels + 100).clip(0, 255).astype(np.uint8))
    monkeypatch.setattr(arraygroups, "GROUP_BYTES", 8 * 48 * 100)
    return path


def density_of(base: GaussianBase, x: Tensor) -> Tensor:
    return base.double().log_density(x, 0.1)


def compared(rows: Stream, data: Dataset, *, enabled: bool) -> None:
    """The stream's constants against those of the same values in memory."""
    found = constants(rows, NONE, 0, DOUBLE, enabled=enabled)
    groups = PreparedGroups(rows, found.transform, NONE, 0, enabled, DOUBLE)
    streamed = torch.cat([groups.read(group)[0] for group in range(len(groups.sizes))])
    values = found.transform.inverse(streamed)
    assert torch.equal(values.round(), torch.from_numpy(data.values).round()) or not enabled
    transform, notes = preprocessing(data, values)
    expected = transform.forward(values)
    torch.testing.assert_close(streamed, expected, rtol=0, atol=2e-6)
    assert found.notes == notes
    base = GaussianBase.fit(expected)
    torch.testing.assert_close(
        density_of(found.base, streamed), density_of(base, expected), rtol=0, atol=1e-4
    )


def test_a_table_is_whitened_as_in_memory(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet")
    options = {"positive": ["p"], "label": "class"}
    compared(stream(path, **options), read(path, **options), enabled=True)


def test_whole_numbers_are_spread_and_collinear_columns_noted(tmp_path: Path) -> None:
    whole = RNG.poisson(5, N)
    path = table(tmp_path / "t.parquet", whole=whole, twice=2.0 * whole)
    options = {"drop": ["class"], "bounds": {"whole": (0, None)}}
    compared(stream(path, **options), read(path, **options), enabled=True)
    exact = table(tmp_path / "u.parquet", twin=np.zeros(N))
    x = pq.read_table(exact).set_column(4, "twin", pq.read_table(exact)["b"])
    pq.write_table(x, exact, row_group_size=100)
    rows, data = stream(exact, drop=["class", "p"]), read(exact, drop=["class", "p"])
    compared(rows, data, enabled=False)
    assert "collinear" in constants(rows, NONE, 0, DOUBLE, enabled=False).notes[0]


def test_images_are_scaled_by_their_spread_as_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = images(tmp_path / "x.npy", monkeypatch)
    compared(stream(path), read(path), enabled=False)


def test_many_coordinates_have_the_base_of_some_of_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = images(tmp_path / "x.npy", monkeypatch)
    monkeypatch.setattr(surveying, "MAX_COVARIANCE", 47)
    monkeypatch.setattr(surveying, "BASE_ROWS", 300)
    found = constants(stream(path), NONE, 7, DOUBLE, enabled=False)
    some = positions(N, 300, 7, "base rows")
    assert 200 < len(some) <= 300
    values = torch.from_numpy(read(path).values)
    rows = found.transform.forward(values)
    expected = GaussianBase.fit(rows[some])
    torch.testing.assert_close(density_of(found.base, rows), density_of(expected, rows))


def test_held_out_rows_are_given_back_and_never_trained_on(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet")
    rows, data = stream(path, label="class"), read(path, label="class")
    left_out = positions(N, 40, 3, "validation split")
    found = constants(rows, left_out, 3, DOUBLE, enabled=True)
    assert found.held_out is not None
    assert np.array_equal(found.held_out.values, data.values[left_out.numpy()])
    assert np.array_equal(found.held_out.labels, data.labels[left_out.numpy()])
    groups = PreparedGroups(rows, found.transform, left_out, 3, True, DOUBLE)
    assert sum(groups.sizes) == N - len(left_out)
    parts = [groups.read(group) for group in range(len(groups.sizes))]
    kept = np.delete(np.arange(N), left_out.numpy())
    assert torch.equal(torch.cat([p[1] for p in parts]), torch.from_numpy(data.labels[kept]))
    values = found.transform.inverse(torch.cat([p[0] for p in parts]))
    torch.testing.assert_close(values, torch.from_numpy(data.values[kept]), rtol=1e-9, atol=1e-9)
    # Their constants are those of the rows that are left.
    mean = torch.from_numpy(data.values[kept]).mean(0)
    whitening = found.transform.parts[-1]
    torch.testing.assert_close(whitening.mean, mean, rtol=1e-12, atol=0)


def test_a_group_is_prepared_the_same_way_each_time_and_otherwise_with_another_seed(
    tmp_path: Path,
) -> None:
    path = table(tmp_path / "t.parquet", whole=RNG.poisson(5, N))
    rows = stream(path, drop=["class"])
    found = constants(rows, NONE, 0, DOUBLE, enabled=True)
    first, again, other = (
        PreparedGroups(rows, found.transform, NONE, s, True, DOUBLE) for s in (0, 0, 1)
    )
    assert torch.equal(first.read(2)[0], again.read(2)[0])
    assert not torch.equal(first.read(2)[0], other.read(2)[0])
    assert first.digest() == again.digest()
    fewer = PreparedGroups(rows, found.transform, torch.tensor([5]), 0, True, DOUBLE)
    single = PreparedGroups(rows, found.transform, NONE, 0, True, torch.float32)
    assert len({first.digest(), fewer.digest(), single.digest()}) == 3


def test_rows_that_are_all_the_same_are_refused(tmp_path: Path) -> None:
    x = np.zeros((50, 4, 4, 4, 4), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(InvalidInput, match="the 50 rows to fit are all the same"):
        constants(stream(tmp_path / "x.npy"), NONE, 0, DOUBLE, enabled=False)


def test_positions_are_distinct_ascending_and_a_function_of_the_seed() -> None:
    some = positions(1000, 100, 0, "any")
    assert torch.equal(some, some.unique())
    assert 85 <= len(some) <= 100
    assert torch.equal(some, positions(1000, 100, 0, "any"))
    assert not torch.equal(some, positions(1000, 100, 1, "any"))
    assert len(positions(5, 0, 0, "any")) == 0
    assert int(positions(10**12, 100, 0, "any").max()) > 10**11


MEMORY = """
import resource, sys
import torch
torch.set_num_threads(1)
from scorematching import streaming, surveying
from scorematching.data import stream
from scorematching.training.streamed import Streamed

def all_batches(path):
    rows = stream(path)
    none = torch.empty(0, dtype=torch.int64)
    found = surveying.constants(rows, none, 0, torch.float32, enabled=True)
    groups = streaming.PreparedGroups(rows, found.transform, none, 0, True, torch.float32)
    batches = Streamed(groups, 0, 4096)
    total = sum(float(batches(step)[0][0].sum()) for step in range(rows.n // 4096))
    assert abs(total) < 1e-2 * rows.n
    return rows.decoded_bytes

streaming.WINDOW_BYTES = 4 * 2**20
all_batches(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = all_batches(sys.argv[2])
print(size, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


def test_memory_stays_bounded_however_many_rows_there_are(tmp_path: Path) -> None:
    """After a small file, one fifty times its size takes less than 24 MiB more.

    Its rows are 49 MiB as float64 and 24 as float32; the window is 4 MiB, a group 1 MiB. Measured:
    13 MiB more; 38 with a window that holds all rows.
    """
    x = RNG.normal(size=(800_000, 8))
    for name, n in (("small", 16_384), ("large", len(x))):
        columns = {f"x{j}": x[:n, j] for j in range(8)}
        pq.write_table(pa.table(columns), tmp_path / name, row_group_size=16_384)
        (tmp_path / name).rename(tmp_path / f"{name}.parquet")
    paths = [str(tmp_path / f"{name}.parquet") for name in ("small", "large")]
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, *paths], capture_output=True, text=True, check=True
    )
    size, more = map(int, result.stdout.split())
    assert size == 51_200_000
    assert more < 24 * 2**20
