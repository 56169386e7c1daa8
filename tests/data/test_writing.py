"""Samples come back in the input's own form, whole or not at all."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from scorematching.data.formulas import neutral, plain
from scorematching.data.images import read_images
from scorematching.data.schema import (
    ArraySchema,
    Column,
    ImageSchema,
    Kind,
    LabelSchema,
    Layout,
    Schema,
    TableSchema,
)
from scorematching.data.source import read
from scorematching.data.writing import check_writable, write, write_table
from scorematching.errors import DataError

TABLE = TableSchema(
    (
        Column("x", Kind.REAL, low=0.0),
        Column("fixed", Kind.INTEGER, constant=3.0),
        Column("n", Kind.INTEGER, 0.0, 10.0),
        Column("y", Kind.REAL, -1.0, 1.0),
    ),
    LabelSchema("k", ("red", "=white"), position=1),
)
ROWS = np.array([[0.5, 2.4, 0.25], [-3.0, 10.8, 1.5], [1e-300, -0.6, -2.0], [1e300, 3.5, 0.0]])
LABELS = np.array([0, 1, 1, 0])
TABLE_ENDINGS = [".csv", ".tsv", ".parquet", ".feather", ".arrow"]


@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_a_table_is_rounded_bounded_complete_and_in_order(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"samples{ending}"
    write(path, ROWS, TABLE, LABELS)
    if ending == ".parquet":
        table = pq.read_table(path)
        assert table.schema.field("n").type == pa.int64()
        assert table.column_names == ["x", "k", "fixed", "n", "y"]
    data = read(path, like=TABLE)
    assert data.values[:, 1].tolist() == [2.0, 10.0, 0.0, 4.0]
    assert data.values[:, 0].tolist() == [0.5, 5e-324, 1e-300, 1e300]
    inside = np.nextafter(1.0, 0.0)
    assert data.values[:, 2].tolist() == [0.25, inside, -inside, 0.0]
    assert data.labels is not None
    assert data.labels.tolist() == LABELS.tolist()


def test_a_csv_file_looks_as_expected(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write(path, ROWS[:2], TABLE, LABELS[:2])
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["x", "k", "fixed", "n", "y"],
            ["0.5", "red", "3", "2", "0.25"],
            ["5e-324", "'=white", "3", "10", "0.9999999999999999"],
        ]
    write(tmp_path / "plain.csv", ROWS[:1], TABLE)
    assert (tmp_path / "plain.csv").read_text().splitlines()[0] == "x,fixed,n,y"


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@cmd", '=HYPERLINK("a";"b")'])
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_names_that_are_formulas_are_made_harmless_and_read_back(
    tmp_path: Path, name: str, ending: str
) -> None:
    schema = TableSchema((Column(name, Kind.REAL), Column("b", Kind.REAL)))
    values = np.array([[-1.5, 2.0], [3.0, -4.5]])
    write(tmp_path / f"t{ending}", values, schema)
    with (tmp_path / f"t{ending}").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="," if ending == ".csv" else "\t"))
    assert rows[0][0] == f"'{name}"
    assert rows[1][0] == "-1.5"  # a number is no formula
    assert read(tmp_path / f"t{ending}").schema == schema


@given(st.text())
def test_neutral_text_starts_no_formula_and_is_read_back(text: str) -> None:
    assert not neutral(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    if not text.startswith("'"):
        assert plain(neutral(text)) == text


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=30),
    ending=st.sampled_from(TABLE_ENDINGS),
)
def test_every_float_survives_every_format(
    tmp_path: Path, values: list[tuple[float, float]], ending: str
) -> None:
    schema = TableSchema((Column("a", Kind.REAL), Column("b", Kind.REAL)))
    x = np.array(values, dtype=np.float64)
    write(tmp_path / f"t{ending}", x, schema, overwrite=True)
    np.testing.assert_array_equal(read(tmp_path / f"t{ending}", like=schema).values, x)


NAMES = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=60
).filter(lambda name: name not in (".", ".."))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, ending=st.sampled_from([*TABLE_ENDINGS, ".npy", ".npz"]))
def test_any_file_name_works(tmp_path: Path, name: str, ending: str) -> None:
    _check_name(tmp_path, name, ending)


@pytest.mark.parametrize("name", ["-rf", "--out", "a b", "🧪", "line\nend", "x" * 240, "'q\"", "~"])
@pytest.mark.parametrize("ending", [*TABLE_ENDINGS, ".npy", ".npz"])
def test_odd_file_names_work(tmp_path: Path, name: str, ending: str) -> None:
    _check_name(tmp_path, name, ending)


def _check_name(folder: Path, name: str, ending: str) -> None:
    schema: Schema = ArraySchema((2,))
    if ending in TABLE_ENDINGS:
        schema = TableSchema((Column("a", Kind.REAL), Column("b", Kind.REAL)))
    path = folder / (name + ending)
    if len(os.fsencode(path.name)) > 255:
        return
    values = np.array([[1.5, 2.0], [3.25, 5.0]])
    write(path, values, schema, overwrite=True)
    assert read(path, like=schema).values.tolist() == values.tolist()
    assert [entry for entry in os.listdir(folder) if entry.startswith(".tmp-")] == []


@pytest.mark.parametrize("ending", [*TABLE_ENDINGS, ".npy", ".npz"])
def test_file_names_of_undecodable_bytes_work(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / os.fsdecode(b"\xff folder")
    folder.mkdir()
    _check_name(folder, os.fsdecode(b"latin \xe9"), ending)


def test_a_message_stays_on_one_line_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / f"line\nend {os.fsdecode(bytes([255]))}.csv"
    path.write_text('a,"b\nc"\n1,2\n2,x\n3,4\n')
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    assert "line\\nend" in str(caught.value)
    assert "column 'b\\nc' holds numbers, but line 4 holds 'x'" in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint16", "int64"])
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_come_back_in_their_dtype(tmp_path: Path, dtype: str, ending: str) -> None:
    schema = ArraySchema((2, 3), dtype)
    values = np.random.default_rng(1).normal(scale=50.0, size=(5, 2, 3))
    path = tmp_path / f"x{ending}"
    write(path, values, schema)
    loaded = np.load(path, allow_pickle=False)
    x = loaded if ending == ".npy" else loaded["x"]
    assert x.dtype == dtype
    assert np.abs(values).max() < 256  # where floats are 2⁻³ and 2⁻¹⁶ apart
    step = {"float16": 2**-4, "float32": 2**-17, "float64": 0.0}.get(dtype, 0.5)
    low, high = {"int8": (-128, 127), "uint16": (0, None)}.get(dtype, (None, None))
    expected = values if low is None else np.clip(values, low, high)
    assert np.abs(x.astype(float) - expected).max() <= step


def test_whole_numbers_never_wrap(tmp_path: Path) -> None:
    write(tmp_path / "x.npy", np.array([[-5.0, 300.0]]), ArraySchema((2,), "uint8"))
    assert np.load(tmp_path / "x.npy").tolist() == [[0, 255]]
    write(tmp_path / "y.npy", np.array([[-1e300, 1e300]]), ArraySchema((2,), "uint64"))
    assert np.load(tmp_path / "y.npy").tolist() == [[0, 2**53]]
    with pytest.raises(DataError, match="70000 is too large for float16"):
        write(tmp_path / "z.npy", np.array([[7e4, 0.0]]), ArraySchema((2,), "float16"))


@pytest.mark.parametrize(
    ("layout", "channels"),
    [
        (Layout.NO_CHANNEL, 1),
        (Layout.CHANNELS_FIRST, 3),
        (Layout.CHANNELS_LAST, 3),
        (Layout.CHANNELS_LAST, 1),
    ],
)
def test_images_come_back_in_their_layout(tmp_path: Path, layout: Layout, channels: int) -> None:
    schema = ImageSchema((channels, 5, 6), label=LabelSchema("y", ("3", "7"), True), layout=layout)
    values = np.random.default_rng(1).integers(0, 256, (4, *schema.shape)).astype(np.float64)
    labels = np.array([0, 1, 1, 0])
    path = tmp_path / "x.npz"
    write(path, values + 0.3, schema, labels)
    with np.load(path, allow_pickle=False) as file:
        assert file["x"].dtype == np.uint8
        assert file["y"].tolist() == [3, 7, 7, 3]
    data = read(path, label="y")
    assert data.schema == schema
    np.testing.assert_array_equal(data.values, values)
    np.testing.assert_array_equal(data.labels, labels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_folder_of_pictures_round_trips(tmp_path: Path, channels: int) -> None:
    schema = ImageSchema((channels, 5, 6))
    values = np.random.default_rng(1).integers(0, 256, (3, *schema.shape)).astype(np.float64)
    folder = tmp_path / "my pictures"
    write(folder, values, schema)
    assert sorted(os.listdir(folder)) == ["000000.png", "000001.png", "000002.png"]
    np.testing.assert_array_equal(read_images(folder).values, values)


def test_pictures_of_classes_go_to_subfolders(tmp_path: Path) -> None:
    schema = ImageSchema((1, 4, 4), label=LabelSchema("k", ("cat", "dog")))
    values = np.random.default_rng(1).integers(0, 256, (3, 1, 4, 4)).astype(np.float64)
    write(tmp_path / "p", values, schema, np.array([1, 0, 1]))
    data = read_images(tmp_path / "p", label="k")
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(data.values, values[[1, 0, 2]])


def test_pixels_of_a_smaller_range_are_stretched_to_be_seen(tmp_path: Path) -> None:
    values = np.array([0.0, 8.0, 15.6, 99.0]).reshape(1, 1, 2, 2)
    write(tmp_path / "p", values, ImageSchema((1, 2, 2), 0.0, 16.0))
    with Image.open(tmp_path / "p" / "000000.png") as image:
        assert np.asarray(image).tolist() == [[0, 128], [255, 255]]


# ------------------------------------------------------------------------- what is not written


IMAGE = ImageSchema((1, 2, 2))


@pytest.mark.parametrize(
    ("name", "schema", "message"),
    [
        ("t.xlsx", TABLE, "a table cannot be written to the ending '.xlsx'. Use .csv, .tsv"),
        ("t", TABLE, "cannot be written to the ending ''"),
        ("t.npz", TABLE, "a table cannot be written to the ending '.npz'"),
        ("x.csv", ArraySchema((2,)), "arrays cannot be written to the ending '.csv'. Use .npy"),
        ("x.csv", IMAGE, "images cannot .* or no ending for a folder"),
        ("p", ImageSchema((2, 4, 4)), "1, 3 or 4 channels: got 2"),
        ("p", ImageSchema((1, 4, 4), -1.0, 1.0, False), "whole numbers from 0 to 255"),
        (
            "p",
            ImageSchema((1, 4, 4), label=LabelSchema("k", ("a", "../b"))),
            "cannot name a folder",
        ),
        ("taken.csv", TABLE, "taken.csv: the file exists. Choose another"),
        ("full", IMAGE, "full: the folder is not empty"),
        ("taken.csv/x.csv", TABLE, "the folder .*taken.csv does not exist"),
        ("none/x.csv", TABLE, "the folder .*none does not exist"),
        ("dir.csv", TABLE, "expected a path for a file, got a folder"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, schema: Schema, message: str
) -> None:
    (tmp_path / "taken.csv").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.png").write_text("x")
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(DataError, match=message):
        check_writable(tmp_path / name, schema)
    with pytest.raises(DataError, match=message):
        write(tmp_path / name, np.zeros((1, *schema.event)), schema)
    assert (tmp_path / "taken.csv").read_text() == "precious"
    assert os.listdir(tmp_path / "full") == ["precious.png"]


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    check_writable(path, TABLE, overwrite=True)
    write(path, ROWS, TABLE, overwrite=True)
    assert path.read_text().startswith("x,fixed")


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        (np.where(ROWS > 1e200, np.nan, ROWS), None, "1 of 4 rows are not finite .first: row 3"),
        (np.where(ROWS > 1e200, np.inf, ROWS), None, "diverged"),
        (ROWS[:, :2], None, r"shape \(n, 3\): got \(4, 2\)"),
        (ROWS, np.array([0, 1, 2, 0]), "labels must be from 0 to 1"),
        (ROWS, np.array([0, 1]), r"labels must have shape \(4,\)"),
    ],
)
def test_values_that_are_no_rows_are_refused(
    tmp_path: Path, values: Any, labels: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path / "t.csv", values, TABLE, labels)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.feather", "x.npz", "p"])
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    schema: Schema = TABLE if name.startswith("t") else IMAGE
    values = ROWS if schema is TABLE else np.zeros((3, 1, 2, 2))
    path = tmp_path / name
    if name != "p":
        path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scorematching.data.atomic._flush", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, values, schema, overwrite=True)
    if name == "p":
        # The folder was moved into place before the disk refused to confirm it.
        assert sorted(os.listdir(tmp_path)) in ([], ["p"])
    else:
        assert os.listdir(tmp_path) == [name]
        assert path.read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_read_only_folder_is_said_before_the_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match="read-only"):
            check_writable(tmp_path / "t.csv", TABLE)
    finally:
        tmp_path.chmod(0o700)


def test_a_read_only_folder_is_said_before_the_work_to_anyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for name, schema in (("t.csv", TABLE), ("p", IMAGE)):
        with pytest.raises(DataError, match="read-only"):
            check_writable(tmp_path / name, schema)


def test_labels_need_a_format_with_room_for_them(tmp_path: Path) -> None:
    schema = ArraySchema((2,), label=LabelSchema("k", ("a", "b")))
    with pytest.raises(DataError, match=r"no room for labels\. Use \.npz"):
        write(tmp_path / "x.npy", np.zeros((2, 2)), schema, np.array([0, 1]))
    assert os.listdir(tmp_path) == []


def test_any_arrow_table_can_be_written(tmp_path: Path) -> None:
    table = pa.table({"log_density": [-1.5, -np.inf], "k": ["@a", None]})
    write_table(tmp_path / "t.csv", table)
    assert (tmp_path / "t.csv").read_text() == 'log_density,k\n-1.5,"\'@a"\n-inf,\n'
