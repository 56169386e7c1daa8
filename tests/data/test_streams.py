"""A stream is the data set that `read` gives, a group at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from scorematching.data import Dataset, Stream, read, stream, streams
from scorematching.data.streams import NOT_LOOKED_FOR, Survey
from scorematching.errors import DataError

RNG = np.random.default_rng(5)
N = 700
COLUMNS = {
    "class": RNG.choice(["b", "a", "c"], N),
    "x": RNG.normal(size=N),
    "id": np.arange(N),
    "five": np.full(N, 5.0),
    "count": RNG.poisson(3, N),
    "whole": RNG.integers(0, 9, N).astype(float),
    "p": RNG.gamma(2.0, size=N),
}


def parquet(path: Path, group: int = 128, **changes: Any) -> Path:
    pq.write_table(pa.table({**COLUMNS, **changes}), path, row_group_size=group)
    return path


def whole(rows: Stream) -> Dataset:
    parts = [rows.read(group) for group in range(len(rows.sizes))]
    labels = [each.labels for each in parts if each.labels is not None]
    values = np.concatenate([each.values for each in parts])
    return Dataset(values, rows.schema, np.concatenate(labels) if labels else None)


def same(rows: Stream, expected: Dataset) -> None:
    found = whole(rows)
    assert rows.schema == expected.schema
    assert rows.n == expected.n
    assert np.array_equal(found.values, expected.values)
    assert (found.labels is None) == (expected.labels is None)
    if expected.labels is not None:
        assert np.array_equal(found.labels, expected.labels)
        assert rows.class_counts == tuple(np.bincount(expected.labels).tolist())
    assert {*rows.notes} == {*expected.notes, NOT_LOOKED_FOR}
    assert rows.decoded_bytes == expected.values.nbytes


@pytest.mark.parametrize(
    "options",
    [
        {"drop": ["class"]},
        {"label": "class", "positive": ["p"], "bounds": {"count": (0, None)}},
        {"columns": ["p", "x"]},
        {"label": "count", "drop": ["class"]},
    ],
)
def test_a_parquet_file_is_streamed_as_it_is_read(tmp_path: Path, options: Any) -> None:
    path = parquet(tmp_path / "t.parquet")
    rows = stream(path, **options)
    assert rows.sizes == (128,) * 5 + (60,)
    same(rows, read(path, **options))


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    path = parquet(tmp_path / "all.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    table = pa.table(COLUMNS)
    pq.write_table(table.slice(0, 300), parts / "1.parquet", row_group_size=100)
    pq.write_table(table.slice(300), parts / "2.parquet", row_group_size=150)
    rows = stream(parts, label="class")
    assert rows.sizes == (100, 100, 100, 150, 150, 100)
    same(rows, read(path, label="class"))
    assert rows.digest == stream(path, label="class").digest  # wherever the groups are cut


def test_a_digest_sees_every_value_label_and_their_order(tmp_path: Path) -> None:
    digest = stream(parquet(tmp_path / "a.parquet"), label="class").digest
    x, classes = COLUMNS["x"].copy(), COLUMNS["class"].copy()
    x[650] += 1e-12
    classes[[3, 650]] = ["a", "b"] if classes[3] != "a" else ["b", "a"]
    for name, changes in (("x", {"x": x}), ("class", {"class": classes})):
        path = parquet(tmp_path / f"{name}.parquet", **changes)
        assert stream(path, label="class").digest != digest


@pytest.mark.parametrize(
    "x",
    [
        RNG.normal(size=(200, 3)),
        RNG.normal(size=200).astype(np.float32),
        RNG.integers(0, 255, (60, 5, 4)).astype(np.uint8),
        RNG.integers(0, 255, (60, 5, 4, 3)).astype(np.uint8),
        RNG.integers(-9, 9, (50, 2, 2, 2, 2)),
    ],
    ids=["rows", "numbers", "grey images", "colour images", "whole arrays"],
)
def test_npy_files_are_streamed_as_they_are_read(
    tmp_path: Path, x: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorematching.data import arraygroups

    monkeypatch.setattr(arraygroups, "GROUP_BYTES", x[:17].size * 8)
    np.save(tmp_path / "x.npy", x)
    rows = stream(tmp_path / "x.npy")
    assert set(rows.sizes[:-1]) == {17}
    same(rows, read(tmp_path / "x.npy"))
    (tmp_path / "parts").mkdir()
    np.save(tmp_path / "parts" / "1.npy", x[:40])
    np.save(tmp_path / "parts" / "2.npy", x[40:])
    same(stream(tmp_path / "parts"), read(tmp_path / "x.npy"))


def test_images_are_streamed_as_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorematching.data import imagegroups

    monkeypatch.setattr(imagegroups, "GROUP_BYTES", 8 * 4 * 6 * 5)
    for number in range(13):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        pixels = RNG.integers(0, 255, (4, 6)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "notes.txt").write_text("left aside")
    for label in (None, "kind"):
        rows = stream(tmp_path, label=label)
        assert rows.sizes == (5, 5, 3)
        same(rows, read(tmp_path, label=label))


def bad(column: str, row: int, value: Any) -> dict[str, Any]:
    cells = COLUMNS[column].astype(float).tolist()
    cells[row] = value
    return {column: cells}


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (bad("x", 300, None), {}, r"cells are missing .*'x' \(1 missing or NaN, first: row 300"),
        (bad("p", 650, -1.0), {"positive": ["p"]}, r"'p' must be greater than 0: got -1 \(row 650"),
        ({}, {"drop": []}, "columns that are not numbers: 'class'"),
        ({}, {"label": "nothing"}, "label names 'nothing', which is no column"),
        ({"class": [f"{k % 400}" for k in range(N)]}, {"label": "class"}, "400 classes in 700"),
        ({"class": [None, *COLUMNS["class"][1:]]}, {"label": "class"}, "row 0 .* is missing"),
    ],
)  # fmt: skip
def test_cells_that_cannot_be_used_are_named_by_file_row_and_column(
    tmp_path: Path, changes: Any, options: Any, message: str
) -> None:
    path = parquet(tmp_path / "t.parquet", **changes)
    options = options or {"drop": ["class"]}
    if "label" not in options and "drop" not in options:
        options = {**options, "drop": ["class"]}
    with pytest.raises(DataError, match=message):
        stream(path, **options)


def test_more_classes_than_any_label_has_end_the_pass_early(tmp_path: Path) -> None:
    many = pa.table({"x": RNG.normal(size=5000), "id": [f"{k}" for k in range(5000)]})
    pq.write_table(many, tmp_path / "t.parquet", row_group_size=1100)
    with pytest.raises(DataError, match="1100 classes in 1100 rows: too many"):
        stream(tmp_path / "t.parquet", label="id")


def test_sources_that_cannot_be_streamed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("x\n1\n2\n")
    np.save(tmp_path / "f.npy", np.asfortranarray(RNG.normal(size=(5, 3))))
    np.save(tmp_path / "one.npy", RNG.normal(size=(1, 3)))
    np.save(tmp_path / "c.npy", np.column_stack([np.ones(5), RNG.normal(size=5)]))
    np.save(tmp_path / "cut.npy", RNG.normal(size=(50, 3)))
    content = (tmp_path / "cut.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(content[:-9])
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    np.save(mixed / "a.npy", np.ones((2, 2)))
    parquet(mixed / "b.parquet")
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    np.save(shapes / "a.npy", RNG.normal(size=(4, 2)))
    np.save(shapes / "b.npy", RNG.normal(size=(4, 3)))
    (tmp_path / "empty").mkdir()
    for name, options, message in (
        ("t.csv", {}, "only Parquet and NPY files, .* Write a table as Parquet"),
        ("f.npy", {}, "stored column by column"),
        ("one.npy", {}, "1 rows: a density needs two rows or more"),
        ("c.npy", {}, "1 of 2 columns are constant and have no density"),
        ("cut.npy", {}, "fewer values than its header says"),
        ("cut.npy", {"label": "y"}, "NPY files have no labels"),
        ("cut.npy", {"columns": ["x"]}, "columns name columns, and only tables have those"),
        ("mixed", {}, "files of several kinds: .parquet, .npy"),
        ("shapes", {}, r"rows of shape \(3,\) .* has \(2,\)"),
        ("empty", {}, "no .parquet or .npy files and no images"),
    ):
        with pytest.raises(DataError, match=message):
            stream(tmp_path / name, **options)
    from scorematching.data import tablegroups

    monkeypatch.setattr(tablegroups, "MAX_GROUP_BYTES", 6 * 8 * 100)
    with pytest.raises(
        DataError, match=r"row group 0 has 128 rows × 6 columns, .* 100 rows at most"
    ):
        stream(parquet(tmp_path / "t.parquet"), drop=["class"])


def test_a_file_that_changes_after_the_pass_is_noticed(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet")
    rows = stream(path, label="class")
    parquet(path, **{"class": ["new", *COLUMNS["class"][1:]]})
    with pytest.raises(DataError, match="'new' is none of the classes"):
        rows.read(0)


def test_a_survey_tells_constant_whole_and_counting_across_groups() -> None:
    x = np.column_stack(
        [np.arange(9.0), np.full(9, 2.5), [0, 1, 2, 3, 5, 6, 7, 8, 9.0], np.r_[0.5, np.ones(8)]]
    )
    for cut in (1, 4, 8):
        survey = Survey()
        for part in (x[:cut], x[:0], x[cut:]):
            survey.add(part)
        assert survey.constant.tolist() == [False, True, False, False]
        assert survey.counting.tolist() == [True, False, False, False]
        assert survey.whole.tolist() == [True, False, True, False]
        assert survey.n == 9
    assert streams.MAX_GROUP_BYTES > streams.GROUP_BYTES
