"""Rows rounded and kept within bounds, without a file in between."""

from __future__ import annotations

import numpy as np
import pytest

from scorematching.data.restore import as_array, as_rows, as_table
from scorematching.data.schema import (
    ArraySchema,
    Column,
    ImageSchema,
    Kind,
    LabelSchema,
    Layout,
    TableSchema,
)

LAYOUTS = [
    (Layout.CHANNELS_FIRST, (2, 3, 4, 5)),
    (Layout.CHANNELS_LAST, (2, 4, 5, 3)),
    (Layout.NO_CHANNEL, (2, 4, 5)),
]


@pytest.mark.parametrize(("layout", "stored"), LAYOUTS)
def test_rows_of_images_keep_their_axes_whatever_the_layout(
    layout: Layout, stored: tuple[int, ...]
) -> None:
    schema = ImageSchema((1 if layout is Layout.NO_CHANNEL else 3, 4, 5), layout=layout)
    values = np.random.default_rng(0).uniform(-20, 280, (2, *schema.shape))
    expected = np.clip(np.rint(values), 0, 255)
    np.testing.assert_array_equal(as_rows(values, schema), expected)
    assert as_array(values, schema).shape == stored


def test_rows_of_tables_and_arrays_are_rounded_and_bounded() -> None:
    schema = TableSchema((Column("n", Kind.INTEGER, 0.0), Column("x", Kind.REAL, high=1.0)))
    rows = as_rows(np.array([[-3.2, 5.0], [2.6, 0.25]]), schema)
    assert rows.tolist() == [[0.0, np.nextafter(1.0, 0.0)], [3.0, 0.25]]
    assert as_rows(np.array([1.4, -300.0]), ArraySchema((), "int8")).tolist() == [1.0, -128.0]


def test_a_label_stands_at_its_place_in_the_table() -> None:
    columns = (Column("a", Kind.REAL), Column("b", Kind.REAL))
    for position, names in ((0, "kab"), (1, "akb"), (2, "abk"), (None, "abk"), (9, "abk")):
        schema = TableSchema(columns, LabelSchema("k", ("5", "-2"), True, position))
        table = as_table(np.ones((2, 2)), schema, np.array([1, 0]))
        assert "".join(table.column_names) == names
        assert table["k"].to_pylist() == [-2, 5]


def test_no_rows_are_rows_too() -> None:
    schema = TableSchema((Column("n", Kind.INTEGER, constant=3.0), Column("x", Kind.REAL)))
    assert as_table(np.empty((0, 1)), schema).to_pydict() == {"n": [], "x": []}
    assert as_array(np.empty((0, 2)), ArraySchema((2,), "float16")).shape == (0, 2)
