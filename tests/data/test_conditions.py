"""Numbers that are given of rows: beside arrays and frames, and as columns of tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from scorematching.data import (
    ArraySchema,
    TableSchema,
    as_dataset,
    from_array,
    read,
    schema_from_json,
    write,
)
from scorematching.data.conditions import condition_like, conditioned
from scorematching.data.noisy import noisy
from scorematching.data.schema import without_condition
from scorematching.errors import DataError

FRAME = pd.DataFrame(
    {
        "u": [0.5, 1.5, 2.5, 0.25],
        "day": [1, 2, 3, 4],
        "c": [7.0, 7.0, 7.0, 7.0],
        "w": [0.1, 0.3, 0.2, 0.7],
        "kind": ["a", "b", "a", "b"],
    }
)
X = np.random.default_rng(0).normal(size=(5, 3))
C = np.random.default_rng(1).normal(size=(5, 2))


@pytest.mark.parametrize("given", [C, torch.from_numpy(C), C.tolist(), pd.DataFrame(C)])
def test_a_condition_stands_beside_the_rows_of_an_array(given: Any) -> None:
    data = conditioned(from_array(X), given)
    assert data.condition is not None
    np.testing.assert_array_equal(data.condition, C)
    assert len(data.schema.condition) == 2
    assert data.schema.event == (3,)
    assert schema_from_json(data.schema.to_json()) == data.schema
    assert without_condition(data.schema) == ArraySchema((3,))


def test_one_number_a_row_needs_no_second_axis() -> None:
    data = conditioned(from_array(X), C[:, 0])
    assert data.condition is not None
    assert data.condition.shape == (5, 1)
    assert data.schema.condition == ("c[0]",)


@pytest.mark.parametrize("form", [FRAME, pl.DataFrame(FRAME.to_dict("list"))])
def test_columns_of_a_frame_are_given_and_not_modelled(form: Any) -> None:
    data = as_dataset(form, label="kind", condition=["w", "day"])
    schema = data.schema
    assert isinstance(schema, TableSchema)
    assert [column.name for column in schema.modelled] == ["u"]
    assert data.values.tolist() == FRAME[["u"]].to_numpy().tolist()
    assert data.condition is not None
    assert data.condition.tolist() == FRAME[["w", "day"]].to_numpy().tolist()
    assert schema_from_json(schema.to_json()) == schema
    assert "condition" not in without_condition(schema).to_json()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_tables_are_written_and_read_with_what_is_given(ending: str, tmp_path: Path) -> None:
    """In the order of the input, whole numbers whole; without it rows are read all the same."""
    path, again = tmp_path / f"data{ending}", tmp_path / f"again{ending}"
    write_frame(FRAME, path)
    data = read(path, label="kind", condition=["w", "day"])
    write(again, data.values, data.schema, data.labels, data.condition)
    back = read(again, label="kind")
    assert isinstance(back.schema, TableSchema)
    assert [column.name for column in back.schema.columns] == ["u", "day", "c", "w"]
    like = read(again, like=data.schema)
    assert like.schema == data.schema
    assert np.array_equal(like.condition, data.condition)  # type: ignore[arg-type]
    bare = tmp_path / f"bare{ending}"
    write_frame(FRAME.drop(columns=["w", "day", "kind"]), bare)
    found = read(bare, like=data.schema)
    assert found.condition is None
    assert found.schema.condition == ()
    write_frame(FRAME.drop(columns=["w"]), bare)
    with pytest.raises(DataError, match="'w'"):
        read(bare, like=data.schema)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)


def test_numbers_beside_a_frame_become_columns_after_its_own() -> None:
    data = conditioned(as_dataset(FRAME, label="kind"), pd.DataFrame({"z": [1, 2, 3, 5]}))
    assert isinstance(data.schema, TableSchema)
    assert [column.name for column in data.schema.columns] == ["u", "day", "c", "w", "z"]
    assert [column.name for column in data.schema.modelled] == ["u", "day", "w"]
    assert data.schema.given[0].kind.value == "integer"


def test_what_is_given_carries_no_noise() -> None:
    data = as_dataset(FRAME[["u", "day"]], condition=["day"])
    schema = noisy(data.schema)
    assert isinstance(schema, TableSchema)
    assert [column.kind.value for column in schema.columns] == ["real", "integer"]
    assert schema.condition == ("day",)


SCHEMA = conditioned(from_array(X), pd.DataFrame(C, columns=["a", "b"])).schema


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1.0, 2.0], [[1.0, 2.0]] * 3),
        ({"b": 2, "a": 1}, [[1.0, 2.0]] * 3),
        ({"b": [2, 3, 4], "a": 1}, [[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]),
        (torch.tensor([[1, 2], [3, 4], [5, 6]]), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        (pd.DataFrame({"b": [2.0], "a": [1.0]}), [[1.0, 2.0]] * 3),
        (pa.table({"b": [2, 3, 4], "a": [1, 1, 1]}), [[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]),
    ],
)
def test_one_row_of_numbers_holds_for_all_and_names_find_their_place(
    given: Any, expected: list[list[float]]
) -> None:
    assert condition_like(SCHEMA, given, 3).tolist() == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (C[:4], "one row of numbers for each of 5 rows: got 4"),
        (np.where(C[2, 1] == C, np.nan, C), "1 values are NaN"),
        (np.where(C[2, 1] == C, np.inf, C), "1 infinite"),
        (C * [1, 0] + 3.5, "the condition 'c.1.' is 3.5 in every row: nothing can be learnt"),
        (np.full((5, 2), "a"), "Convert text to numbers"),
        (C[:, None], "expected k numbers a row"),
        (C[:, :0], "expected k numbers a row"),
        (pd.DataFrame({"a": ["x"] * 5}), "columns that are not numbers: 'a'"),
    ],
)
def test_a_condition_that_cannot_be_used_is_refused(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        conditioned(from_array(X), given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"condition": ["c"]}, "the condition 'c' is 7 in every row"),
        ({"condition": ["days"]}, "condition names 'days', which is no column. Did you mean 'day'"),
        ({"condition": ["day", "day"]}, "condition names 'day' twice"),
        ({"condition": ["kind"], "label": "kind"}, "in both condition and label"),
        ({"condition": ["w"], "drop": ["w"]}, "in both condition and drop"),
        ({"condition": ["w"], "columns": ["u", "w"]}, "'w' is given: leave it out of columns"),
        ({"condition": "w"}, "condition must be a list of names"),
        ({"condition": ["kind"]}, "columns that are not numbers: 'kind'"),
        ({"condition": ["w"], "bounds": {"w": (0, 1)}}, "bounds names 'w', which is not modelled"),
    ],
)
def test_columns_that_cannot_be_given_are_refused(options: dict[str, Any], message: str) -> None:
    frame = FRAME if options["condition"] == ["kind"] or "label" in options else FRAME.iloc[:, :4]
    with pytest.raises(DataError, match=message):
        as_dataset(frame, **options)


def test_rows_that_are_given_something_are_no_repetitions() -> None:
    frame = pd.DataFrame({"x": [1.0, 1.0, 2.0, 2.0], "t": [0.0, 1.0, 2.0, 2.0]})
    assert "2 of 4 rows repeat" in " ".join(as_dataset(frame[["x"]]).notes)
    assert "1 of 4 rows repeat" in " ".join(as_dataset(frame, condition=["t"]).notes)


def test_a_second_condition_is_refused() -> None:
    data = conditioned(from_array(X), C)
    with pytest.raises(DataError, match="given a condition already"):
        conditioned(data, C)
    with pytest.raises(DataError, match="fitted without a condition"):
        condition_like(from_array(X).schema, C, 5)
