"""What rows and samples are given: what is asked for, or drawn as often as in the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scorematching.conditioning import (
    KEPT_ROWS,
    Conditions,
    drawn_classes,
    prepared,
    sample_given,
    untold,
)
from scorematching.data import ArraySchema, Dataset, LabelSchema, from_array
from scorematching.data.conditions import conditioned
from scorematching.data.transform import Compose, Standardise
from scorematching.errors import InvalidInput

TEXT = ArraySchema((2,), label=LabelSchema("kind", ("ham", "spam")))
WHOLE = ArraySchema((2,), label=LabelSchema("digit", ("0", "1", "7"), integer=True))
BARE = ArraySchema((2,))


def test_classes_are_drawn_by_their_frequencies() -> None:
    frequencies = (0.05, 0.0, 0.7, 0.25)
    n = 20_000
    shares = torch.bincount(drawn_classes(frequencies, n, 3), minlength=4) / n
    for share, p in zip(shares.tolist(), frequencies, strict=True):
        assert abs(share - p) <= 4 * (p * (1 - p) / n) ** 0.5


def test_more_draws_begin_with_the_fewer_and_seeds_differ() -> None:
    many = drawn_classes((0.5, 0.5), 500, 0)
    assert torch.equal(drawn_classes((0.5, 0.5), 70, 0), many[:70])
    assert not torch.equal(drawn_classes((0.5, 0.5), 500, 1), many)


@pytest.mark.parametrize(
    ("labels", "schema", "expected"),
    [
        ("spam", TEXT, [1, 1, 1]),
        (["ham", "spam", "ham"], TEXT, [0, 1, 0]),
        (np.array(["ham", "spam", "ham"]), TEXT, [0, 1, 0]),
        (7, WHOLE, [2, 2, 2]),
        (np.int64(7), WHOLE, [2, 2, 2]),
        (torch.tensor(1), WHOLE, [1, 1, 1]),
        ((0, 1, 7), WHOLE, [0, 1, 2]),
        (torch.tensor([7, 1, 0]), WHOLE, [2, 1, 0]),
    ],
)
def test_one_class_for_all_rows_or_one_a_row(labels: Any, schema: Any, expected: list[int]) -> None:
    classes, condition = sample_given(3, 0, labels, None, schema, (0.5, 0.5), None)
    assert classes is not None
    assert classes.tolist() == expected
    assert condition is None


def test_what_is_not_asked_for_is_drawn_where_there_are_classes() -> None:
    assert sample_given(3, 0, None, None, BARE, None, None) == (None, None)
    drawn, _ = sample_given(9, 5, None, None, TEXT, (0.5, 0.5), None)
    assert drawn is not None
    assert torch.equal(drawn, drawn_classes((0.5, 0.5), 9, 5))


@pytest.mark.parametrize(
    ("labels", "schema", "message"),
    [
        ("ham", BARE, "fitted without labels: leave labels out"),
        (["ham"], TEXT, "one for each of 3 rows: got 1"),
        ("eggs", TEXT, "'eggs' is none of the classes ham, spam"),
        (3, WHOLE, "'3' is none of the classes 0, 1, 7"),
        ([0.5, 1.0, 7.0], WHOLE, "must hold text or whole numbers"),
        (["ham", None, "spam"], TEXT, "missing"),
        ([["ham"], ["ham", "spam"], []], TEXT, "cannot be made an array"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, schema: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sample_given(3, 0, labels, None, schema, (0.5, 0.5), None)


def rows(n: int = 6000, *, labels: bool = False) -> Dataset:
    """Rows of zeros and ones, given their own number and its square root, and its parity."""
    numbers = np.arange(n, dtype=np.float64)
    classes = (np.arange(n) % 2) if labels else None
    data = from_array(numbers % 2 + np.linspace(0, 1, n), classes)
    return conditioned(data, np.stack([numbers, np.sqrt(numbers)], 1))


def test_a_condition_is_standardised_by_the_training_rows_and_some_of_it_kept() -> None:
    data = rows()
    found = Conditions.of(data, 0)
    assert found is not None
    assert data.condition is not None
    assert found.rows.shape == (KEPT_ROWS, 2)
    assert found.classes is None
    assert set(map(tuple, found.rows.tolist())) <= set(map(tuple, data.condition.tolist()))
    like = torch.empty(0)
    _, given = prepared(Compose(()), torch.from_numpy(data.values), data, found, like)
    assert given.dtype == torch.float32
    torch.testing.assert_close(given.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(given.std(0, correction=0), torch.ones(2))
    assert Conditions.of(from_array(data.values), 0) is None


def test_conditions_are_drawn_with_the_classes_they_came_with() -> None:
    """Row i depends on the seed and i alone; a class that is asked for has conditions of its own.

    The mean of 2,000 drawn numbers within 4 standard errors of that of the rows kept.
    """
    data = rows(labels=True)
    found = Conditions.of(data, 0)
    assert found is not None
    frequencies = (0.5, 0.5)
    classes, numbers = sample_given(2000, 1, None, None, data.schema, frequencies, found)
    assert classes is not None
    assert numbers is not None
    assert torch.equal(numbers[:, 0] % 2, classes.double())
    error = 4 * found.rows[:, 0].std().item() / 2000**0.5
    assert abs(numbers[:, 0].mean() - found.rows[:, 0].mean()) < error
    again = sample_given(70, 1, None, None, data.schema, frequencies, found)
    assert torch.equal(again[1], numbers[:70])
    odd, of_odd = sample_given(50, 1, 1, None, data.schema, frequencies, found)
    assert odd is not None
    assert of_odd is not None
    assert odd.tolist() == [1] * 50
    assert set((of_odd[:, 0] % 2).tolist()) == {1.0}
    with pytest.raises(InvalidInput, match="pass both, or neither to have them drawn together"):
        sample_given(3, 0, None, [1.0, 1.0], data.schema, frequencies, found)
    even = found.rows[found.classes == 0]
    only_even = Conditions(found.unit, even, torch.zeros(len(even)).long())
    with pytest.raises(InvalidInput, match="no condition is known of a class that is asked for"):
        sample_given(3, 0, 1, None, data.schema, frequencies, only_even)


@pytest.mark.parametrize("labels", [False, True])
def test_conditions_are_the_same_after_they_were_saved(labels: bool) -> None:
    data = rows(60, labels=labels)
    found = Conditions.of(data, 0)
    assert found is not None
    loaded = Conditions.from_tensors(found.tensors(), data.schema)
    assert {k: v.tolist() for k, v in loaded.tensors().items()} == {
        k: v.tolist() for k, v in found.tensors().items()
    }
    for name in found.tensors():
        damaged = {k: v for k, v in found.tensors().items() if k != name}
        with pytest.raises(InvalidInput):
            Conditions.from_tensors(damaged, data.schema)
        damaged[name] = found.tensors()[name][:1]
        if name != "rows" or labels:
            with pytest.raises(InvalidInput, match="of 2 numbers a row"):
                Conditions.from_tensors(damaged, data.schema)


def test_prepared_rows_follow_the_dtype_of_the_model() -> None:
    data = from_array(np.arange(4.0), np.array([0, 1, 0, 1]))
    double = Standardise(torch.tensor(1.0).double(), torch.tensor(2.0).double())
    values = torch.from_numpy(data.values)
    found, classes = prepared(Compose((double,)), values, data, None, torch.empty(0))
    assert found.dtype == torch.float32
    assert found.tolist() == [-0.5, 0.0, 0.5, 1.0]
    assert classes.tolist() == [0, 1, 0, 1]
    alone = from_array(np.arange(4.0))
    assert len(prepared(Compose(()), values, alone, None, torch.empty(0))) == 1


def test_rows_that_are_told_nothing_have_all_that_the_schema_has() -> None:
    schema = rows(60, labels=True).schema
    classes, condition = untold(5, schema, torch.empty(0))
    assert classes.tolist() == [-1] * 5
    assert condition.shape == (5, 2)
    assert bool(condition.isnan().all())
    assert untold(5, BARE, torch.empty(0)) == ()
