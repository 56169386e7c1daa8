from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scorematching.data import ArraySchema, Column, Kind, LabelSchema, TableSchema, read
from scorematching.data.noisy import noisy
from scorematching.data.transform import bounds_of
from scorematching.errors import DataError

SCHEMA = TableSchema(
    (
        Column("n", Kind.INTEGER),
        Column("k", Kind.INTEGER, 0.0, 9.0),
        Column("c", Kind.INTEGER, constant=4.0),
        Column("x", Kind.REAL, 0.0),
    ),
    LabelSchema("kind", ("a", "b"), False, None),
)


def test_whole_numbers_with_noise_are_read_and_other_rules_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("n,k,c,x\n1.5,-0.4,4.2,0.1\n2,9.4,3.9,7\n")
    with pytest.raises(DataError, match="whole numbers"):
        read(path, like=SCHEMA)
    rows = read(path, like=noisy(SCHEMA))
    np.testing.assert_array_equal(rows.values, [[1.5, -0.4, 0.1], [2, 9.4, 7]])
    for bad in ("1,9.6,4,1", "1,1,4,0"):
        path.write_text(f"n,k,c,x\n{bad}\n")
        with pytest.raises(DataError):
            read(path, like=noisy(SCHEMA))


def test_the_interval_is_that_of_dequantised_whole_numbers_and_labels_stay() -> None:
    before, after = bounds_of(SCHEMA), bounds_of(noisy(SCHEMA))
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before.low, after.low)
    np.testing.assert_array_equal(before.high, after.high)
    assert noisy(SCHEMA).label == SCHEMA.label
    assert noisy(ArraySchema((3,))) == ArraySchema((3,))
