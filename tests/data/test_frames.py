"""pandas, polars and Arrow tables, arrays and tensors give the rows that files give."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from scorematching.data.frames import as_dataset, from_frame
from scorematching.data.schema import ArraySchema, Kind, LabelSchema, TableSchema
from scorematching.errors import DataError

CELLS: dict[str, Any] = {
    "a": [1, 2, 4],
    "b": [0.5, 1.5, -2.25],
    "k": ["u", "v", "u"],
}
FRAMES = [
    pytest.param(pd.DataFrame(CELLS), id="pandas"),
    pytest.param(pd.DataFrame(CELLS).astype({"k": "category", "a": "Int16"}), id="pandas-typed"),
    pytest.param(pd.DataFrame(CELLS, index=["r", "s", "t"]), id="pandas-indexed"),
    pytest.param(pl.DataFrame(CELLS), id="polars"),
    pytest.param(pl.DataFrame(CELLS).cast({"k": pl.Categorical, "a": pl.UInt8}), id="polars-typed"),
    pytest.param(pa.table(CELLS), id="arrow"),
]


@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_gives_the_same_rows(frame: Any) -> None:
    data = as_dataset(frame, label="k")
    assert data.values.tolist() == [[1.0, 0.5], [2.0, 1.5], [4.0, -2.25]]
    assert [c.kind for c in data.schema.columns] == [Kind.INTEGER, Kind.REAL]
    assert data.schema.label == LabelSchema("k", ("u", "v"), False, 2)
    again = from_frame(frame, like=data.schema)
    assert again.values.tolist() == data.values.tolist()


@pytest.mark.parametrize("frame", FRAMES)
def test_text_in_a_frame_is_refused_by_name(frame: Any) -> None:
    with pytest.raises(DataError, match=r"'k' \(text, 2 distinct values\)"):
        from_frame(frame)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1.0, None], "b": [1, 2]}), r"pandas DataFrame: .*'a' \(1 missing"),
        (pl.DataFrame({"a": [1.0, float("inf")]}), r"polars DataFrame: .*'a' \(1 infinite"),
        (pd.DataFrame({"a": ["x", 1]}), "column 'a' mixes types"),
        (pd.DataFrame({"a": [1j, 2j]}), "column 'a' mixes types or holds objects"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "two columns .* 'a'"),
        (pd.DataFrame(), "has no columns"),
        (pd.DataFrame({"a": []}, dtype=float), "no rows"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01", "2020-01-02"])}), "date or time"),
        (pd.DataFrame({"a": np.array([2**64 - 1, 0], np.uint64)}), "'a', row 0 .*2\\^53"),
        (pd.Series([1.0, 2.0]), r"got pandas Series.*to_frame\(\)"),
        (pl.LazyFrame({"a": [1]}), r"got polars LazyFrame.*collect\(\)"),
    ],
)
def test_frames_that_cannot_be_used_are_named(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_dataset(frame)


def test_unnamed_pandas_columns_get_their_numbers_as_names() -> None:
    data = from_frame(pd.DataFrame([[1.5, 2.0], [3.0, 4.5]]))
    assert isinstance(data.schema, TableSchema)
    assert [column.name for column in data.schema.columns] == ["0", "1"]


def test_arrays_and_tensors_pass_through() -> None:
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    for form in (x, torch.from_numpy(x), torch.from_numpy(x).requires_grad_(), x.tolist()):
        data = as_dataset(form, labels=["p", "q"])
        assert data.values.tolist() == x.tolist()
        assert data.schema == ArraySchema((2,), "float64", LabelSchema("label", ("p", "q")))
        assert as_dataset(data) is data


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (np.eye(2), {"drop": ["a"]}, "drop name columns, which a ndarray does not have"),
        (pd.DataFrame(CELLS), {"labels": [1, 2, 3]}, "label='NAME'"),
        (pd.DataFrame(CELLS), {"like": ArraySchema((2,))}, "got a frame"),
        (np.eye(2), {"like": from_frame(pa.table({"a": [1.5, 2.5]})).schema}, "give a frame"),
        (as_dataset(np.eye(2)), {"labels": [1, 2]}, "already"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    data: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        as_dataset(data, **options)


def test_reading_loads_neither_torch_nor_polars_nor_scikit_learn() -> None:
    # pandas is left out: pyarrow loads it where it is installed.
    code = (
        "import sys, numpy, scorematching.data as d\n"
        "d.as_dataset(numpy.eye(3)); d.read('builtin:moons')\n"
        "print({'torch', 'polars', 'sklearn'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr
