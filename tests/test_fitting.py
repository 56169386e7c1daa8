"""`fit`: every form of rows in and out, and few or odd ones."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from fits import SMALL, gaussian_rows, quick
from scorematching.data import Dataset, read
from scorematching.errors import InvalidInput
from scorematching.fitting import fit


def table(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    return pd.DataFrame(
        {
            "u": rng.normal(size=n),
            "amount": rng.gamma(2.0, size=n),
            "share": rng.uniform(0.01, 0.99, size=n),
            "count": rng.poisson(4, size=n),
            "unit": 1.5,
            "kind": rng.choice(["a", "b"], size=n),
        }
    )


TABLE_OPTIONS: dict[str, Any] = {
    "positive": ["amount"],
    "bounds": {"share": (0, 1), "count": (0, None)},
    "label": "kind",
}


@pytest.mark.parametrize(
    "event", [(), (1,), (3,), (2, 3), (1, 4, 4), (1, 8, 8), (3, 7, 6), (2, 1, 2, 2)], ids=str
)
@pytest.mark.parametrize("tensor", [False, True])
def test_rows_of_every_rank_are_fitted_and_given_back(event: tuple[int, ...], tensor: bool) -> None:
    n = 2 + math.prod(event)
    x: Any = np.random.default_rng(1).normal(size=(n, *event)).astype(np.float32)
    x = torch.from_numpy(x) if tensor else x
    fitted = quick(x)
    samples = fitted.sample(3)
    assert type(samples) is type(x)
    assert samples.dtype == x.dtype
    assert tuple(samples.shape) == (3, *event)
    few = x[:2]
    for value, shape in (
        (fitted.log_density(few), (2,)),
        (fitted.score(few), (2, *event)),
        (fitted.denoise(few, 0.5), (2, *event)),
    ):
        assert type(value) is type(x)
        assert tuple(value.shape) == shape
        assert np.isfinite(np.asarray(value)).all()


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_a_frame_comes_back_with_its_names_types_rounding_and_bounds(kind: str) -> None:
    make = {
        "pandas": lambda f: f,
        "polars": lambda f: pl.DataFrame(f.to_dict("list")),
        "arrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    }[kind]
    with pytest.warns(UserWarning, match="'unit' = 1.5"):
        fitted = quick(make(table()), 5, **TABLE_OPTIONS)
    raw = fitted.sample(200)
    assert type(raw) is type(make(table()))
    samples = raw if kind == "pandas" else raw.to_pandas()
    assert list(samples) == list(table())
    assert (samples["amount"] > 0).all()
    assert samples["share"].between(0, 1, inclusive="neither").all()
    assert samples["count"].dtype == np.int64
    assert (samples["count"] >= 0).all()
    assert (samples["unit"] == 1.5).all()
    assert set(samples["kind"]) == {"a", "b"}
    assert np.isfinite(fitted.log_density(make(table()))).all()


def test_a_dataset_comes_back_as_one_its_pictures_unmoved(tmp_path: Path) -> None:
    """Channels last: bright above, dark below, in every channel."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 20, size=(70, 6, 8, 3), dtype=np.uint8)
    images[:, :3] += 200
    np.save(tmp_path / "x.npy", images)
    fitted = quick_dataset(read(tmp_path / "x.npy"))
    samples = fitted.sample(2)
    assert isinstance(samples, Dataset)
    assert samples.values.shape == (2, 3, 6, 8)
    assert samples.values[:, :, :3].mean() > samples.values[:, :, 3:].mean() + 100


def quick_dataset(data: Dataset, steps: int = 1) -> Any:
    settings = {"net": {"channels": [8]}, "training": {"batch_size": 16}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit(data, configuration=settings, max_steps=steps, quiet=True)


def test_whole_numbers_are_spread_and_rounded() -> None:
    x = np.random.default_rng(0).integers(0, 5, size=(200, 2))
    fitted = quick(x)
    samples = fitted.sample(300)
    assert samples.dtype == x.dtype
    # Six standard deviations of the model around the data: rounded, not cut to the data's range.
    assert set(np.unique(samples)) <= set(range(-8, 13))
    # One unit of each: the density is over unit intervals, and sums to one over all pairs.
    grid = np.stack(np.meshgrid(range(-9, 14), range(-9, 14)), -1).reshape(-1, 2)
    assert np.exp(fitted.log_density(grid)).sum() == pytest.approx(1, abs=0.02)


def test_labels_of_arrays_make_a_conditional_model() -> None:
    x = gaussian_rows(80, 2)
    labels = np.where(x[:, 0] > 5, "right", "left")
    fitted = quick(x, labels=labels)
    shares = [float((labels == c).mean()) for c in ("left", "right")]
    assert fitted.class_frequencies == pytest.approx(shares)
    assert fitted.sample(4, labels="left").shape == (4, 2)
    assert fitted.log_density(x[:2], labels=["left", "right"]).shape == (2,)
    with pytest.raises(InvalidInput, match=r"fitted with labels: .*labels="):
        fitted.log_density(x[:2])
    with pytest.raises(InvalidInput, match="'up' is none of the classes left, right"):
        fitted.sample(2, labels="up")
    with pytest.raises(InvalidInput, match="fitted without labels"):
        quick(x).sample(2, labels="left")


def test_a_single_row_has_no_density() -> None:
    with pytest.raises(InvalidInput, match="there is one row: a density needs two"):
        quick(np.zeros((1, 3)))


def test_two_rows_and_fewer_rows_than_columns_are_fitted_with_a_warning() -> None:
    for x in (gaussian_rows(2, 3), gaussian_rows(5, 9), gaussian_rows(4, 8).reshape(4, 2, 4)):
        with pytest.warns(UserWarning, match="rows span at most .* directions.* regularised"):
            fitted = quick(x, 3)
        assert np.isfinite(fitted.log_density(x)).all()
        assert np.isfinite(fitted.sample(5)).all()


def test_two_numbers_are_fitted() -> None:
    fitted = quick(np.array([1.0, 2.0]), 3)
    assert fitted.sample(5).shape == (5,)


def test_constant_and_missing_and_repeated_values_are_told() -> None:
    x = gaussian_rows(60, 3)
    with pytest.raises(InvalidInput, match=r"constant and have no density: \[1\]"):
        quick(np.where(np.arange(3) == 1, 7.0, x))
    x[3, 1] = np.nan
    with pytest.raises(InvalidInput, match=r"1 values are NaN .*row 3"):
        quick(x)
    with pytest.warns(UserWarning, match="20 of 40 rows repeat"):
        quick(np.repeat(gaussian_rows(20, 2), 2, axis=0))


def test_a_warning_points_at_the_line_that_called_fit() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(gaussian_rows(4, 6), configuration=SMALL, max_steps=1, quiet=True)
        fit(np.repeat(gaussian_rows(9, 1), 2, axis=0), configuration=SMALL, max_steps=1, quiet=True)
    assert {w.filename for w in caught if w.category is UserWarning} == {__file__}
    assert len(caught) == 2
