"""One way in, and no way in for what is not data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scorematching.data.builtin import builtin
from scorematching.data.schema import ArraySchema, ImageSchema
from scorematching.data.source import read
from scorematching.data.writing import write
from scorematching.errors import DataError


def test_every_kind_of_source_is_found_by_its_name(tmp_path: Path) -> None:
    digits, wine = builtin("digits"), builtin("wine")
    few = digits.values[:5]
    for name, values, schema in (
        ("t.csv", wine.values, wine.schema),
        ("t.TSV", wine.values, wine.schema),
        ("t.parquet", wine.values, wine.schema),
        ("x.npz", few, digits.schema),
    ):
        write(tmp_path / name, values, schema)
        np.testing.assert_array_equal(read(tmp_path / name).values, values)
        np.testing.assert_array_equal(read(str(tmp_path / name)).values, values)
    np.testing.assert_array_equal(read("builtin:wine").values, wine.values)
    write(tmp_path / "pictures", few, digits.schema)
    assert read(tmp_path / "pictures").values.shape == few.shape


@pytest.mark.parametrize(
    ("source", "options", "parts"),
    [
        ("none.csv", {}, ["none.csv: no such file"]),
        ("none", {}, ["none: no such file or folder", "builtin:NAME"]),
        ("t.xlsx", {}, ["'.xlsx' is not known", ".csv, .tsv, .parquet", "builtin:NAME"]),
        ("t", {}, ["the ending '' is not known"]),
        ("empty", {}, ["the folder holds no images"]),
        ("x.npy", {"drop": ["a"]}, ["drop name columns, and only tables have those"]),
        ("x.npy", {"label": "k"}, ["has no effect"]),
        ("builtin:nothing", {}, ["The sets are"]),
        ("t.csv", {"like": ArraySchema((2,))}, ["fitted to an array, and this is a table"]),
        ("x.npy", {"like": builtin("iris").schema}, ["fitted to a table, and this is an array"]),
        ("x.npy", {"like": ArraySchema((3,))}, ["rows of shape (3,): got (2,)"]),
        ("x.npy", {"like": ArraySchema((2,)), "label": "y"}, ["label is that of the fitted"]),
        ("empty", {"like": ArraySchema((2,))}, ["and this is a folder of images"]),
        ("builtin:iris", {"like": ImageSchema((1, 8, 8))}, ["this is a table"]),
        ("builtin:digits", {"like": ImageSchema((1, 9, 9))}, ["something else"]),
        ("long" * 100, {}, ["cannot be read"]),
    ],
)
def test_sources_that_cannot_be_read_are_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    options: dict[str, Any],
    parts: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("t").write_text("a,b\n1,2\n3,4\n")
    Path("t.csv").write_text("a,b\n1,2\n3,4\n")
    Path("t.xlsx").write_bytes(b"PK")
    np.save("x.npy", np.array([[1.0, 2.0], [3.0, 5.0]]))
    with pytest.raises(DataError) as caught:
        read(source, **options)
    for part in parts:
        assert part in str(caught.value)
