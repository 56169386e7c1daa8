"""Arrays of every event rank, and those that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scorematching.data.arrays import from_array
from scorematching.data.schema import ARRAY_DTYPES, ArraySchema, ImageSchema, LabelSchema, Layout
from scorematching.errors import DataError


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("event", [(), (3,), (3, 2), (5, 3, 2), (2, 3, 2, 3)])
def test_every_event_rank_is_kept(event: tuple[int, ...]) -> None:
    x = rng().normal(size=(6, *event)).astype(np.float32)
    data = from_array(x)
    assert data.schema == ArraySchema(event, "float32")
    np.testing.assert_array_equal(data.values, x.astype(np.float64))


@pytest.mark.parametrize("dtype", ARRAY_DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_dtype_is_converted_by_value(dtype: str, order: str) -> None:
    x = np.array([[1, 100], [7, 3]]).astype(np.dtype(dtype).newbyteorder(order))
    data = from_array(x)
    assert data.values.tolist() == [[1.0, 100.0], [7.0, 3.0]]
    assert data.schema.to_json()["dtype" if isinstance(data.schema, ArraySchema) else "low"]


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [
        ((6, 5, 4), Layout.NO_CHANNEL, 1),
        ((6, 3, 8, 9), Layout.CHANNELS_FIRST, 3),
        ((6, 8, 9, 3), Layout.CHANNELS_LAST, 3),
        ((6, 1, 8, 8), Layout.CHANNELS_FIRST, 1),
    ],
)
def test_bytes_of_two_axes_are_images(
    shape: tuple[int, ...], layout: Layout, channels: int
) -> None:
    x = rng().integers(0, 256, shape).astype(np.uint8)
    data = from_array(x)
    assert isinstance(data.schema, ImageSchema)
    assert data.schema.layout is layout
    assert data.schema.shape[0] == channels
    moved = x[:, None] if layout is Layout.NO_CHANNEL else x
    if layout is Layout.CHANNELS_LAST:
        moved = x.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(data.values, moved)


@pytest.mark.parametrize("shape", [(6, 5), (6, 1, 5), (6, 7, 8, 9), (6, 2, 3, 5, 5)])
def test_bytes_of_other_shapes_are_arrays(shape: tuple[int, ...]) -> None:
    data = from_array(rng().integers(0, 256, shape).astype(np.uint8))
    assert data.schema == ArraySchema(shape[1:], "uint8")


def test_bytes_whose_channels_could_be_on_either_side_are_refused() -> None:
    with pytest.raises(DataError, match=r"could be \(n, C, H, W\) or \(n, H, W, C\)"):
        from_array(rng().integers(0, 256, (6, 3, 8, 3)).astype(np.uint8))


BIG = np.array([[0, 1], [2**63 + 1, 4]], np.uint64)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[1.0, np.nan], [3.0, 4.0], [np.inf, 1.0]]), "1 values are NaN and 1 infinite"),
        (np.array([[1.0, 2.0], [np.inf, 1.0]]), r"first: row 1"),
        (np.eye(2) * 1j, "complex128.*x.real, x.imag"),
        (np.eye(2, dtype=bool), "bool.*astype"),
        (np.array([[1, "x"], [None, 2]], dtype=object), "object.*astype"),
        (np.array(["x", "y"]), "<U1"),
        (np.zeros(3, dtype=[("p", float)]), "structured"),
        (np.zeros(3, dtype=np.longdouble), "dtype must be one of"),
        (np.array(3.0), r"got \(\)"),
        (np.empty((0, 3)), "none empty"),
        (np.empty((3, 0)), "none empty"),
        (np.zeros((2, 1, 1, 1, 1, 1)), "0 to 4 event axes"),
        (np.ones((1, 3)), "one row: a density needs two"),
        (BIG, r"1 whole numbers are beyond ±2\^53.*9223372036854775809, row 1"),
        (np.array([[-(2**63)], [0]]), r"beyond ±2\^53.*-9223372036854775808, row 0"),
        ([[1.0, 2.0], [3.0]], "cannot be made an array"),
        (np.ma.masked_values([[1.0, 2.0], [3.0, 5.0]], 3.0), "1 cells are masked"),
        (np.array([[1.0, 7.0], [2.0, 7.0]]), r"1 of 2 columns are constant.*\[1\].*numpy.delete"),
        (np.array([2.5, 2.5]), "every value is 2.5"),
        (torch.zeros(3, 2, dtype=torch.complex64), "complex64"),
    ],
)
def test_arrays_that_cannot_be_used_are_named(x: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_array(x)


def test_constant_pixels_are_noted_and_kept() -> None:
    x = rng().integers(0, 256, (6, 5, 4)).astype(np.uint8)
    x[:, 0] = 0
    data = from_array(x)
    assert data.schema.event == (1, 5, 4)
    assert any("4 of 20 coordinates" in note for note in data.notes)


def test_labels_are_sorted_by_value_and_counted() -> None:
    data = from_array(np.arange(4.0), labels=np.array([10, 9, 10, 9], np.uint8))
    assert data.schema.label == LabelSchema("label", ("9", "10"), True)
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 1, 0]
    with pytest.raises(DataError, match=r"shape \(4,\): got \(3,\)"):
        from_array(np.arange(4.0), labels=[1, 2, 3])


def test_bfloat16_tensors_are_read() -> None:
    x = torch.tensor([[1.5, 2.0], [-3.0, 0.5]], dtype=torch.bfloat16)
    assert from_array(x).values.tolist() == [[1.5, 2.0], [-3.0, 0.5]]


def test_rows_for_a_fitted_model_have_its_shape_and_classes() -> None:
    images = rng().integers(0, 256, (6, 4, 4)).astype(np.uint8)
    fitted = from_array(images, labels=list("uvuvuv"))
    for form in (images[:1], images[:1].astype(np.float64), images[:1, None]):
        one = from_array(form, labels=["v"], like=fitted.schema)  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.values[0, 0], images[0])
        assert one.labels is not None
        assert one.labels.tolist() == [1]
    with pytest.raises(DataError, match=r"rows of shape \(1, 4, 4\): got \(5, 5\)"):
        from_array(np.zeros((2, 5, 5)), like=fitted.schema)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'w' is none of the classes u, v"):
        from_array(images[:1], labels=["w"], like=fitted.schema)  # type: ignore[arg-type]
