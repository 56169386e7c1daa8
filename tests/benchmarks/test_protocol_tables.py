"""The tables' protocol: the rows are those that the shared protocol hands out, bit for bit."""

import importlib.util
from types import ModuleType

import numpy as np
import pytest
from benchmarks.protocols import tables
from benchmarks.protocols.paths import SHARED

needs_data = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="the tables of ../shared/data are absent"
)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    path = SHARED / "protocols" / "uci.py"
    if not path.is_file():
        pytest.skip("the reference protocol ../shared/protocols/uci.py is absent")
    spec = importlib.util.spec_from_file_location("reference_uci", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("name", list(tables.TABLES))
def test_rows_are_bit_identical_to_the_shared_protocol(
    reference: ModuleType, name: str, whiten: bool
) -> None:
    for seed in range(6):
        ours = tables.split(name, seed, whiten=whiten)
        theirs = reference.load(name, seed, whiten)
        for mine, expected in zip((ours.train, ours.validation, ours.test), theirs, strict=True):
            np.testing.assert_array_equal(mine, expected)


@needs_data
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("red-wine", [(1102, 11), (122, 11), (135, 11)]),
        ("white-wine", [(3209, 11), (356, 11), (396, 11)]),
        ("parkinsons", [(4760, 14), (528, 14), (587, 14)]),
    ],
)
def test_splits_have_the_stated_sizes(name: str, shapes: list[tuple[int, int]]) -> None:
    rows = tables.split(name)
    assert [rows.train.shape, rows.validation.shape, rows.test.shape] == shapes


@needs_data
def test_training_rows_are_white_up_to_the_noise() -> None:
    train = tables.split("white-wine").train
    n, d = train.shape
    excess = np.cov(train, rowvar=False) - (1 + tables.NOISE_STD**2) * np.eye(d)
    # only the noise is random: cov(z, ε) has standard deviation 0.05·√2/√n off the diagonal's sum
    assert np.abs(excess).max() < 6 * 2 * tables.NOISE_STD / np.sqrt(n)


@needs_data
def test_seeds_give_different_test_rows() -> None:
    first, second = (tables.split("red-wine", seed).test for seed in (0, 1))
    assert not np.isclose(first, second).any(axis=1).all()


def test_an_unknown_table_is_refused_with_the_names_that_work() -> None:
    with pytest.raises(ValueError, match=r"red-wine, white-wine, parkinsons: got 'rose'"):
        tables.split("rose")


def test_nearly_collinear_columns_are_dropped_but_the_first_is_kept() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 2))
    copy = rows[:, :1] + 0.01 * rng.normal(size=(500, 1))
    assert tables.distinct_columns(np.hstack([rows, copy])) == [0, 1]
    assert tables.distinct_columns(np.hstack([copy, rows])) == [0, 2]


def test_dequantised_rows_stay_within_one_gap() -> None:
    rows = np.column_stack([np.arange(50.0) % 5, 0.25 * (np.arange(50.0) % 7)])
    moved = tables.dequantised(rows, np.random.default_rng(0)) - rows
    assert (np.abs(moved) <= [1.0, 0.25]).all()
    assert (np.abs(moved).max(axis=0) > [0.5, 0.125]).all()
