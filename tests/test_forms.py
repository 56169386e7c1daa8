"""Rows in the form of the user: in, checked against a model, and out again."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray

from scorematching.data import (
    ArraySchema,
    Dataset,
    LabelSchema,
    TableSchema,
    as_dataset,
    from_array,
)
from scorematching.errors import InvalidInput
from scorematching.forms import Form, form_of, given_back, rows_like, shaped_like

FRAME = pd.DataFrame(
    {
        "u": [0.5, 1.5, 2.5, 0.25],
        "k": [1, 2, 3, 4],
        "c": [7.0, 7.0, 7.0, 7.0],
        "kind": ["a", "b", "a", "b"],
    }
)
TABLE = as_dataset(FRAME, label="kind")
FRAMES = {
    Form.PANDAS: FRAME,
    Form.POLARS: pl.DataFrame(FRAME.to_dict("list")),
    Form.ARROW: pa.Table.from_pydict(FRAME.to_dict("list")),
}


def pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(shape).integers(0, 256, size=shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("x", "form"),
    [
        (np.zeros(3), Form.ARRAY),
        ([1.0, 2.0], Form.ARRAY),
        (torch.zeros(3), Form.TENSOR),
        (TABLE, Form.DATASET),
        *((frame, form) for form, frame in FRAMES.items()),
    ],
)
def test_the_form_of_rows_is_told(x: Any, form: Form) -> None:
    assert form_of(x) is form


@pytest.mark.parametrize("form", FRAMES)
def test_frames_come_back_with_names_constants_rounding_and_labels(form: Form) -> None:
    values = np.array([[0.1, 2.4], [0.2, 2.6]])
    out = given_back(form, values, TABLE.schema, np.array([1, 0]))
    assert type(out) is type(FRAMES[form])
    table = {"pandas": lambda: pa.Table.from_pandas(out), "polars": lambda: out.to_arrow()}.get(
        form.value, lambda: out
    )()
    assert table.to_pydict() == {"u": [0.1, 0.2], "k": [2, 3], "c": [7.0, 7.0], "kind": ["b", "a"]}


def test_arrays_and_tensors_come_back_in_their_dtype() -> None:
    schema = ArraySchema((2,), "int32")
    array = given_back(Form.ARRAY, np.array([[0.6, -1.4]]), schema, None)
    assert array.dtype == np.int32
    assert array.tolist() == [[1, -1]]
    tensor = given_back(Form.TENSOR, np.array([[0.5]]), ArraySchema((1,), "float32"), None)
    assert torch.equal(tensor, torch.tensor([[0.5]]))
    assert tensor.dtype == torch.float32


def test_a_dataset_comes_back_as_one_with_its_labels() -> None:
    out = given_back(Form.DATASET, np.array([[0.1, 2.4]]), TABLE.schema, np.array([1]))
    assert isinstance(out, Dataset)
    assert out.values.tolist() == [[0.1, 2.0]]
    assert out.schema == TABLE.schema
    assert out.labels is not None
    assert out.labels.tolist() == [1]


@pytest.mark.parametrize("shape", [(5, 5, 6, 3), (5, 3, 5, 6), (5, 5, 6)])
def test_images_of_every_layout_keep_their_pixels_in_a_dataset(shape: tuple[int, ...]) -> None:
    """Moving the axes, not reshaping: a picture given back is the picture."""
    images = pixels(*shape)
    data = from_array(images)
    assert data.values.shape[2:] == (5, 6)
    out = given_back(Form.DATASET, data.values + 0.3, data.schema, None)
    assert np.array_equal(out.values, data.values)
    assert np.array_equal(given_back(Form.ARRAY, data.values + 0.3, data.schema, None), images)


def test_rows_without_columns_cannot_become_a_frame() -> None:
    with pytest.raises(InvalidInput, match="only tables can be given back as pandas"):
        given_back(Form.PANDAS, np.zeros((2, 2)), ArraySchema((2,)), None)


def test_a_library_of_frames_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", absent)
    for form in (Form.PANDAS, Form.POLARS):
        with pytest.raises(InvalidInput, match=f"{form.value} cannot be imported.*Form.ARROW"):
            given_back(form, np.zeros((2, 2)), TABLE.schema, None)


@pytest.mark.parametrize("shape", [(5, 5, 6, 3), (5, 3, 5, 6), (5, 5, 6)])
def test_pictures_are_answered_in_their_own_layout(shape: tuple[int, ...]) -> None:
    images = pixels(*shape)
    data = from_array(images)
    rows = torch.from_numpy(data.values)
    assert np.array_equal(shaped_like(images, rows, data.schema), images)
    answer = shaped_like(torch.from_numpy(images), rows, data.schema)
    assert isinstance(answer, torch.Tensor)
    assert np.array_equal(answer.numpy(), images)
    # Given as the model has them, or in a Dataset, they stay so.
    for x in (data.values, data):
        assert np.array_equal(shaped_like(x, rows, data.schema), data.values)


def test_other_rows_are_answered_as_they_are() -> None:
    rows = torch.arange(4.0).reshape(2, 2)
    assert np.array_equal(shaped_like(FRAME[["u", "k"]][:2], rows, TABLE.schema), rows.numpy())
    assert shaped_like(rows, rows, TABLE.schema) is rows


@pytest.mark.parametrize("form", FRAMES)
def test_frames_are_read_by_their_names(form: Form) -> None:
    frame = FRAMES[form]
    turned = (
        frame.select(["kind", "c", "k", "u"])
        if form is not Form.PANDAS
        else frame[["kind", "c", "k", "u"]]
    )
    data = rows_like(turned, TABLE.schema)
    assert np.array_equal(data.values, TABLE.values)
    assert data.labels is not None
    assert np.array_equal(data.labels, np.array([0, 1, 0, 1]))


def test_rows_of_a_table_may_be_given_as_arrays_of_its_modelled_columns() -> None:
    for x in (TABLE.values, torch.from_numpy(TABLE.values), TABLE.values.tolist()):
        data = rows_like(x, TABLE.schema)
        assert np.array_equal(data.values, TABLE.values)
        assert data.labels is None
    labelled = rows_like(TABLE.values, TABLE.schema, "b")
    assert labelled.labels is not None
    assert labelled.labels.tolist() == [1, 1, 1, 1]


def test_classes_of_a_dataset_are_taken_by_their_names() -> None:
    """Another file with the classes b and c numbers b as 0; the model numbers it 1."""
    schema = ArraySchema((1,), label=LabelSchema("kind", ("a", "b", "c")))
    other = ArraySchema((1,), label=LabelSchema("kind", ("b", "c")))
    data = Dataset(np.zeros((3, 1)), other, np.array([0, 1, 0]))
    found = rows_like(data, schema).labels
    assert found is not None
    assert found.tolist() == [1, 2, 1]
    strange = ArraySchema((1,), label=LabelSchema("kind", ("b", "d")))
    with pytest.raises(InvalidInput, match="'d' is none of the classes a, b, c"):
        rows_like(Dataset(np.zeros((2, 1)), strange, np.array([0, 1])), schema)


def test_columns_of_a_dataset_are_those_of_the_model() -> None:
    renamed = as_dataset(FRAME.rename(columns={"u": "w"}), label="kind")
    assert isinstance(renamed.schema, TableSchema)
    with pytest.raises(InvalidInput, match=r"columns 'u', 'k': got the columns 'w', 'k'.*like="):
        rows_like(renamed, TABLE.schema)


ARRAY = ArraySchema((2,))


@pytest.mark.parametrize(
    ("x", "schema", "labels", "message"),
    [
        (np.zeros((3, 4)), ARRAY, None, r"shape \(2,\): got \(4,\)"),
        (np.zeros((3, 4)), TABLE.schema, None, r"shape \(2,\): got \(4,\)"),
        (np.array([[np.nan, 1.0]]), ARRAY, None, "1 values are NaN"),
        (np.array([["a", "b"]]), TABLE.schema, None, "dtype must be one of"),
        (np.zeros((0, 2)), ARRAY, None, "none empty"),
        (FRAME, ARRAY, None, r"fitted to an array whose rows have shape \(2,\): got a frame"),
        (FRAME[["u"]], TABLE.schema, None, "'k'"),
        (FRAME.assign(k=1.5), TABLE.schema, None, "'k' must hold whole numbers"),
        (FRAME, TABLE.schema, "a", "carry labels of their own"),
        (TABLE, TABLE.schema, "a", "carry labels of their own"),
        (TABLE, ARRAY, None, "fitted without labels"),
        (from_array(np.ones((3, 4)) * np.arange(3)[:, None]), ARRAY, None, r"of shape \(2,\): got"),
        (np.zeros((3, 2)), ARRAY, "a", "fitted without labels"),
        (TABLE.values, TABLE.schema, ["a"], "one for each of 4 rows: got 1"),
        (3.0, ARRAY, None, "expected shape"),
    ],
)
def test_rows_that_are_not_like_the_data_are_refused(
    x: Any, schema: Any, labels: Any, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        rows_like(x, schema, labels)
