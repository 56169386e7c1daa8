from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from scorematching.cli.describe import described, samples_name
from scorematching.data import Dataset, as_dataset, from_array


def table(**options: object) -> Dataset:
    columns = {"n": [1, 2, 4], "x": [0.5, 1.5, 0.2], "c": ["a", "b", "a"]}
    return as_dataset(pa.table(columns), label="c", **options)  # type: ignore[arg-type]


def test_a_table_is_described_by_its_columns() -> None:
    text = described(table(positive=["x"], bounds={"n": (0, 9)}))
    assert text == (
        "3 rows × 2 columns (whole numbers in n; bounds on n 0:9, x 0:); label 'c' of 2 classes"
    )


def test_images_and_arrays_are_described_by_their_shape() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    assert described(from_array(pixels)) == "5 images of 8 × 8 pixels, 3 channels"
    assert described(from_array(rng.standard_normal((5, 2, 3)))) == "5 rows of shape (2, 3)"


@pytest.mark.parametrize(
    ("source", "name"),
    [("a.tsv", "samples.tsv"), ("a.PARQUET", "samples.parquet"), ("builtin:x.y", "samples.csv")],
)
def test_samples_of_a_table_are_named_like_its_file(source: str, name: str) -> None:
    assert samples_name(source, table().schema) == name


def test_samples_of_images_go_to_a_folder_or_a_file_as_the_images_came() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)
    plain, labelled = from_array(pixels), from_array(pixels, np.array([0, 1, 0, 1, 0]))
    assert samples_name("folder", plain.schema) == "samples"
    assert samples_name("builtin:digits", labelled.schema) == "samples"
    assert samples_name("a.npy", plain.schema) == "samples.npy"
    assert samples_name("a.npz", labelled.schema) == "samples.npz"
    assert samples_name("a.npz", plain.schema) == "samples.npy"
