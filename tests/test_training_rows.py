"""What is trained on and what is held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scorematching.data import ArraySchema, Dataset, LabelSchema, from_array
from scorematching.training_rows import (
    absent_classes,
    at_most,
    class_frequencies,
    dequantised,
    hold_out,
)


def numbered(n: int, labels: list[int] | None = None) -> Dataset:
    """Rows that are their own numbers."""
    return from_array(np.arange(n, dtype=np.float64), None if labels is None else np.array(labels))


@pytest.mark.parametrize(("n", "fraction", "held"), [(100, 0.1, 10), (57, 0.5, 28), (5, 0.01, 1)])
def test_every_row_is_trained_on_or_held_out(n: int, fraction: float, held: int) -> None:
    train, rest = hold_out(numbered(n), fraction, 0)
    assert rest is not None
    assert (train.n, rest.n) == (n - held, held)
    assert sorted([*train.values, *rest.values]) == list(range(n))


def test_the_split_is_random_and_a_function_of_the_seed() -> None:
    firsts = [hold_out(numbered(1000), 0.5, seed)[1] for seed in (0, 0, 1)]
    values = [each.values for each in firsts if each is not None]
    assert np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])
    # The mean of 500 of the numbers 0 to 999 without replacement: 4 standard deviations.
    assert abs(values[0].mean() - 499.5) < 4 * 1000 / np.sqrt(12 * 1000)


def test_nothing_is_held_out_of_a_fraction_of_zero() -> None:
    data = numbered(30)
    assert hold_out(data, 0.0, 0) == (data, None)


def test_every_class_keeps_a_row_to_train_on() -> None:
    labels = [0] * 50 + [1, 2]
    for seed in range(20):
        train, rest = hold_out(numbered(52, labels), 0.5, seed)
        assert train.labels is not None
        assert rest is not None
        assert rest.n == 26
        assert set(train.labels.tolist()) == {0, 1, 2}
        assert [labels[int(v)] for v in train.values] == train.labels.tolist()


def test_at_most_so_many_rows_are_taken_and_not_the_first_ones() -> None:
    data = numbered(1000)
    some = at_most(data, 100, 0)
    assert some.n == len(set(some.values.tolist())) == 100
    assert some.values.mean() > 300  # the first 100 have 49.5
    assert at_most(data, 1000, 0) is data


def test_whole_numbers_are_spread_over_their_unit_intervals_once() -> None:
    data = from_array(np.arange(600).reshape(200, 3) % 7)
    spread = dequantised(data, 0)
    difference = spread - torch.from_numpy(data.values)
    assert float(difference.abs().max()) < 0.5
    assert abs(difference.mean().item()) < 4 / np.sqrt(12 * 600)
    assert torch.equal(spread, dequantised(data, 0))
    assert not torch.equal(spread, dequantised(data, 1))
    assert torch.equal(dequantised(data, 0, enabled=False), torch.from_numpy(data.values))


def test_frequencies_are_the_shares_of_the_classes() -> None:
    assert class_frequencies(numbered(8, [3, 5, 3, 3, 5, 3, 3, 3])) == (0.75, 0.25)
    assert class_frequencies(numbered(4)) is None


def test_classes_without_a_row_are_named() -> None:
    schema = ArraySchema((), label=LabelSchema("kind", ("a", "b", "c")))
    data = Dataset(np.zeros(3), schema, np.array([1, 1, 1]))
    assert absent_classes(data) == ("no row is of the classes a, c: nothing is learnt of them.",)
    assert (
        absent_classes(numbered(8, [3, 5, 3, 3, 5, 3, 3, 3])) == absent_classes(numbered(4)) == ()
    )
