"""Tables: what is refused and how it is said, what is kept, and the same rows from every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from scorematching.data.schema import Column, Kind, LabelSchema
from scorematching.data.tables import read_table
from scorematching.errors import DataError


def csv(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refuse(path: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        read_table(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b\n1,2\n3,x\n4,5\n", ["'b'", "line 3 holds 'x'", "1 of 3 cells", "--drop b"]),
        ('a,b\n"1,5",2\n"3,25",4\n', ["'a', line 2", "'1,5'", "point as the decimal"]),
        ("a;b\n1.5;2\n3,5;4\n", ["'a', line 3", "'3,5'", "point as the decimal"]),
        ('a,b\n1,2\n"1,234.5",4\n', ["'a', line 3", "no thousands separators"]),
        ("a,b\n1,\n2,3\n", ["of 2 rows in column 'b' (1 missing or NaN, first: line 2)", "--drop"]),
        ("a,b\n1,nan\n2,NA\n3,4\n", ["'b' (2 missing or NaN, first: line 2)"]),
        ("a,b\n1,inf\n2,-Infinity\n3,?\n4,1\n", ["'b' (1 missing or NaN and 2 infinite"]),
        ("a,b\n1,1e999\n2,3\n", ["'b' (1 infinite, first: line 2)"]),
        ("a,b\n,1\n2,\n", ["'a' (1 missing or NaN, first: line 2); 'b' (1"]),
        ("a,b\n1,\n2,\n", ["'b' (2 missing or NaN"]),
        ("a,t\n1,red\n2,blue\n3,red\n", ["'t' (text, 2 distinct values)", "--drop t", "--label t"]),
        ("a,d\n1,2020-01-31\n2,2020-02-01\n", ["'d' (date or time)", "--drop d"]),
        ("a,d\n1,31.1.2020 10:00\n2,1.2.2020 11:30\n", ["'d' (date or time)"]),
        ("a,d\n1,10:30\n2,11:45:10\n", ["'d' (date or time)"]),
        ("a,h\n1,0x10\n2,0x11\n", ["'h' (text, 2 distinct values)"]),
        ("a,f\n1,True\n2,false\n", ["'f' (true/false)", "--label f"]),
        ("a,n\n1,9007199254740993\n2,1\n", ["'n', line 2", "9007199254740993", "±2^53"]),
        ("a,n\n1,1\n2,-18446744073709551615\n", ["'n', line 3", "±2^53", "--drop n"]),
        ("a,b\n1,2\n", ["one row", "two rows or more"]),
        ("a,b\n1,2\n1,2\n", ["every column is constant"]),
    ],
)
def test_cells_that_cannot_be_used_are_named(tmp_path: Path, text: str, parts: list[str]) -> None:
    refuse(csv(tmp_path, text), *parts)


def test_all_columns_that_are_not_numbers_are_named_at_once(tmp_path: Path) -> None:
    rows = "\n".join(f"{k},id{k},2020-01-{k % 9 + 1},x" for k in range(40))
    path = csv(tmp_path, f"a,id,day,c\n{rows}\n")
    refuse(
        path,
        "'id' (text, 40 distinct values: high cardinality); 'day' (date or time); 'c' (text, 1",
        "--drop id",
        "--label c",
    )
    assert read_table(path, drop=["id", "day"], label="c").n == 40


def test_a_dropped_column_may_hold_anything(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,x\n2,\n3,4\n")
    assert read_table(path, drop=["b"]).values.tolist() == [[1.0], [2.0], [3.0]]
    assert read_table(path, columns=["a"]).schema.event == (1,)


def test_columns_keep_the_order_they_are_asked_for(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,c\n1,2,3\n4,5,7\n")
    assert read_table(path, columns=["c", "a"]).values.tolist() == [[3.0, 1.0], [7.0, 4.0]]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"columns": ["alcohl"]}, ["columns names 'alcohl'", "Did you mean 'Alcohol'"]),
        ({"drop": ["zzz"]}, ["drop names 'zzz'", "The columns are 'Alcohol', 'pH'"]),
        ({"label": "PH"}, ["label names 'PH'", "Did you mean 'pH'"]),
        ({"positive": ["q"]}, ["positive names 'q'"]),
        ({"bounds": {"q": (0, 1)}}, ["bounds names 'q'"]),
        ({"columns": ["pH"], "drop": ["pH"]}, ["in both columns and drop"]),
        ({"columns": ["pH", "pH"]}, ["'pH' twice"]),
        ({"columns": ["pH"], "label": "pH"}, ["is the label"]),
        ({"drop": ["pH"], "label": "pH"}, ["in both label and drop"]),
        ({"drop": ["pH"], "positive": ["pH"]}, ["positive names 'pH', which is not modelled"]),
        ({"positive": ["pH"], "bounds": {"pH": (0, 9)}}, ["in both positive and bounds"]),
        ({"bounds": {"pH": (float("nan"), 9)}}, ["'pH': a bound is not a number"]),
        ({"drop": ["pH", "Alcohol", "k"]}, ["no column is left"]),
        ({"columns": "pH"}, ["columns must be a list of names"]),
    ],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, options: dict[str, Any], parts: list[str]
) -> None:
    refuse(csv(tmp_path, "Alcohol,pH,k\n1,2,3\n4,5,7\n"), *parts, **options)


@pytest.mark.parametrize(
    ("text", "options", "parts"),
    [
        ("a,b\n1.5,2\n-3,4\n", {"positive": ["a"]}, ["greater than 0: got -3 (line 3)", "1 of 2"]),
        ("a,b\n1.5,2\n0.0,4\n", {"positive": ["a"]}, ["greater than 0: got 0 (line 3)"]),
        ("a,b\n1,2\n0,4\n", {"positive": ["a"]}, ["at least 1: got 0 (line 3)"]),
        ("a,b\n.5,2\n1.0,4\n", {"bounds": {"a": (0, 1)}}, ["less than 1: got 1 (line 3)"]),
        ("a,b\n5,2\n11,4\n", {"bounds": {"a": (0, 10)}}, ["at most 10: got 11 (line 3)"]),
        ("a,b\n5,2\n11,4\n", {"bounds": {"a": (9.5, None)}}, ["at least 10: got 5 (line 2)"]),
    ],
)
def test_values_outside_declared_bounds_are_named(
    tmp_path: Path, text: str, options: dict[str, Any], parts: list[str]
) -> None:
    refuse(csv(tmp_path, text), *parts, **options)


def test_whole_numbers_may_touch_their_bounds(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n0,2.5\n10,4.5\n")
    data = read_table(path, bounds={"a": (0, 10), "b": (float("-inf"), 5)})
    assert data.schema.columns == (
        Column("a", Kind.INTEGER, 0.0, 10.0),
        Column("b", Kind.REAL, None, 5.0),
    )


def test_whole_numbers_are_those_that_the_file_writes_so(tmp_path: Path) -> None:
    data = read_table(csv(tmp_path, "a,b,c,d\n1,1.0,1e0,-7\n2,3.0,2,+8\n"))
    kinds = [column.kind for column in data.schema.columns]
    assert kinds == [Kind.INTEGER, Kind.REAL, Kind.REAL, Kind.INTEGER]
    assert [note for note in data.notes if "'b' holds whole numbers stored as real" in note]


def test_a_constant_column_is_reported_kept_aside_and_remembered(tmp_path: Path) -> None:
    data = read_table(csv(tmp_path, "a,b,c\n1,7.25,2\n3,7.25,5\n"))
    assert data.values.tolist() == [[1.0, 2.0], [3.0, 5.0]]
    assert data.schema.columns[1] == Column("b", Kind.REAL, constant=7.25)
    assert any("'b' = 7.25" in note for note in data.notes)


def test_duplicate_rows_are_counted(tmp_path: Path) -> None:
    data = read_table(csv(tmp_path, "a,b\n1,2\n3,4.5\n1,2.0\n1,2\n0.0,1\n-0.0,1\n"))
    assert any(note.startswith("3 of 6 rows repeat") for note in data.notes)
    clean = read_table(csv(tmp_path, "a,b\n1,2\n3,4.5\n"))
    assert not any("repeat" in note for note in clean.notes)


def test_equal_rows_of_different_classes_do_not_repeat(tmp_path: Path) -> None:
    data = read_table(csv(tmp_path, "a,k\n1,u\n1,v\n2,u\n2,v\n"), label="k")
    assert not any("repeat" in note for note in data.notes)


def test_a_column_that_counts_the_rows_is_noticed(tmp_path: Path) -> None:
    data = read_table(csv(tmp_path, "id,a\n5,0.1\n6,0.4\n7,0.2\n"))
    assert any("'id' counts the rows" in note for note in data.notes)


def test_text_and_whole_numbers_become_classes(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,t,n\n1,red,10\n2,blue,9\n3, red ,10\n4,red,9\n")
    text = read_table(path, drop=["n"], label="t")
    assert text.schema.label == LabelSchema("t", ("blue", "red"), False, 1)
    assert text.labels is not None
    assert text.labels.tolist() == [1, 0, 1, 1]
    number = read_table(path, drop=["t"], label="n")
    assert number.schema.label == LabelSchema("n", ("9", "10"), True, 1)
    assert number.labels is not None
    assert number.labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,k\n1,x\n2,\n3,y\n", ["label 'k', line 3: the cell is missing"]),
        ("a,k\n1,u\n2,v\n3,w\n4,x\n", ["4 classes in 4 rows", "too many", "--drop k"]),
    ],
)
def test_a_label_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    refuse(csv(tmp_path, text), *parts, label="k")


# ------------------------------------------------------------------------- Parquet and Feather


def write_parquet(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path)
    return path


def write_feather(table: pa.Table, path: Path) -> Path:
    feather.write_feather(table, str(path))
    return path


WRITERS: list[Any] = [
    pytest.param(write_parquet, ".parquet", id="parquet"),
    pytest.param(write_feather, ".feather", id="feather"),
    pytest.param(write_feather, ".ARROW", id="arrow"),
]
Write = Callable[[pa.Table, Path], Path]


@pytest.mark.parametrize(("save", "ending"), WRITERS)
def test_typed_columns_keep_their_kind_order_and_label(
    tmp_path: Path, save: Write, ending: str
) -> None:
    table = pa.table(
        {
            "a.b": pa.array([1, 2, 4], pa.uint8()),
            "k": pa.array(["u", "v", "u"]).dictionary_encode(),
            "x": pa.array([0.5, -1.0, 2.0], pa.float32()),
            "t": ["p", "q", "r"],
            "m": pa.array([1, 5, 2], pa.int64()),
        }
    )
    path = save(table, tmp_path / f"t{ending}")
    data = read_table(path, drop=["t"], label="k")
    assert data.values.tolist() == [[1.0, 0.5, 1.0], [2.0, -1.0, 5.0], [4.0, 2.0, 2.0]]
    assert [(c.name, c.kind) for c in data.schema.columns] == [
        ("a.b", Kind.INTEGER),
        ("x", Kind.REAL),
        ("m", Kind.INTEGER),
    ]
    assert data.schema.label == LabelSchema("k", ("u", "v"), False, 1)
    assert read_table(path, columns=["m", "x"]).values.tolist()[0] == [1.0, 0.5]


@pytest.mark.parametrize(("save", "ending"), WRITERS)
@pytest.mark.parametrize(
    ("column", "parts"),
    [
        (pa.array(["x", "y", "x"]), ["'b' (text, 2 distinct values)", "--label b"]),
        (pa.array([True, False, True]), ["'b' (true/false)"]),
        (pa.array([1, 2, 3], pa.timestamp("ms")), ["'b' (date or time)"]),
        (pa.array([1, 2, 3], pa.duration("s")), ["'b' (date or time)"]),
        (pa.array([[1], [2, 3], []]), ["'b' (nested values, list"]),
        (pa.array([{"u": 1}] * 3), ["'b' (nested values, struct"]),
        (pa.array([1.0, None, float("nan")]), ["'b' (2 missing or NaN, first: row 1 (counting"]),
        (pa.array([1.0, float("-inf"), 0.0]), ["'b' (1 infinite, first: row 1"]),
        (pa.array([1, None, 3]), ["'b' (1 missing or NaN, first: row 1"]),
        (pa.nulls(3), ["'b' (3 missing or NaN"]),
        (pa.array([0, 2**64 - 1, 1], pa.uint64()), ["'b', row 1", "18446744073709551615"]),
        (pa.array([0, 1, -(2**53) - 1], pa.int64()), ["'b', row 2", "-9007199254740993"]),
        (pa.array([b"x", b"y", b"z"]), ["'b' (type binary)"]),
    ],
)
def test_typed_columns_that_cannot_be_used_are_named(
    tmp_path: Path, save: Write, ending: str, column: pa.Array, parts: list[str]
) -> None:
    if ending == ".parquet" and pa.types.is_duration(column.type):
        pytest.skip("Parquet has no durations of seconds")
    path = save(pa.table({"a": [1.0, 2.0, 4.0], "b": column}), tmp_path / f"t{ending}")
    refuse(path, *parts)
    assert read_table(path, drop=["b"]).n == 3


@pytest.mark.parametrize(("save", "ending"), WRITERS)
def test_whole_numbers_up_to_two_to_the_53_are_exact(
    tmp_path: Path, save: Write, ending: str
) -> None:
    column = pa.array([2**53, 1, 0], pa.uint64())
    data = read_table(save(pa.table({"b": column}), tmp_path / f"t{ending}"))
    assert [int(value) for value in data.values[:, 0]] == [2**53, 1, 0]


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
def test_a_table_without_rows_or_with_equal_names_is_refused(tmp_path: Path, ending: str) -> None:
    save = write_parquet if ending == ".parquet" else write_feather
    empty = save(pa.table({"a": pa.array([], pa.float64())}), tmp_path / f"empty{ending}")
    refuse(empty, "no rows")
    twice = pa.Table.from_arrays([pa.array([1.0, 2.0]), pa.array([2.0, 3.0])], ["a", "a"])
    path = tmp_path / f"twice{ending}"
    if ending == ".parquet":
        pq.write_table(twice, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, twice.schema) as writer:
            writer.write_table(twice)
    refuse(path, "two columns have the same name 'a'", "Rename")


# ------------------------------------------------------------- rows for a model that was fitted


def test_rows_for_a_fitted_model_are_found_by_name(tmp_path: Path) -> None:
    schema = read_table(csv(tmp_path, "a,b,k\n1,7,u\n2,7,v\n4,7,u\n"), label="k").schema
    data = read_table(csv(tmp_path, "extra,k,b,a\nx,v,7,5.0\n"), like=schema)
    assert data.values.tolist() == [[5.0]]
    assert data.labels is not None
    assert data.labels.tolist() == [1]
    assert data.schema == schema
    unlabelled = read_table(csv(tmp_path, "b,a\n7,5\n"), like=schema)
    assert unlabelled.labels is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("b\n7\n", ["the model names 'a', which is no column"]),
        ("a,b\n1.5,7\n", ["'a' must hold whole numbers: got 1.5 (line 2)"]),
        ("a,b\n1,7\n0,7\n", ["'a' must be at least 1: got 0 (line 3)"]),
        ("a,b\n1,7\n2,8\n", ["'b' was the constant 7", "got 8 (line 3)"]),
        ("a,b,k\n1,7,w\n", ["label 'k', line 2: 'w' is none of the classes u, v"]),
    ],
)
def test_rows_that_do_not_fit_a_fitted_model_are_named(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    options: dict[str, Any] = {"label": "k", "positive": ["a"]}
    fitted = read_table(csv(tmp_path, "a,b,k\n1,7,u\n2,7,v\n4,7,u\n"), **options)
    refuse(csv(tmp_path, text), *parts, like=fitted.schema)


def test_column_options_and_a_fitted_model_exclude_each_other(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n3,4\n")
    refuse(path, "give no column options", like=read_table(path).schema, drop=["a"])


# ------------------------------------------------------------------------------------ real data


@pytest.mark.parametrize(
    ("name", "shape", "repeats"),
    [
        ("winequality-red.csv", (1599, 11), 240),
        ("winequality-white.csv", (4898, 11), 937),
        ("parkinsons.csv", (5875, 19), 0),
    ],
)
def test_real_tables_are_read_as_numpy_reads_them(
    shared: Path, name: str, shape: tuple[int, int], repeats: int
) -> None:
    data = read_table(shared / "data" / name)
    expected = np.loadtxt(shared / "data" / name, delimiter=",", skiprows=1)
    assert data.values.shape == shape
    np.testing.assert_array_equal(data.values, expected)
    found = [note for note in data.notes if "repeat" in note]
    assert len(np.unique(expected, axis=0)) == len(expected) - repeats
    assert [note.startswith(f"{repeats} of") for note in found] == ([True] if repeats else [])
