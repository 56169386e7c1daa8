"""The data order: every row once an epoch, the same whenever asked."""

from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.training.order import DataOrder, row_count


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (10, 10), (7, 6), (1, 1), (12, 4)])
def test_batches_have_one_size_and_cut_the_epochs_without_gaps(n: int, batch_size: int) -> None:
    order = DataOrder(0, n, batch_size)
    batches = [order(step) for step in range(5 * n)]
    assert {len(batch) for batch in batches} == {batch_size}
    stream = torch.cat(batches)
    epochs = stream[: len(stream) // n * n].reshape(-1, n)
    assert torch.equal(epochs.sort(1).values, torch.arange(n).expand(len(epochs), n))


def test_a_batch_size_above_n_gives_all_rows_each_step() -> None:
    order = DataOrder(0, 5, 256)
    assert order.batch_size == 5
    assert sorted(order(3).tolist()) == [0, 1, 2, 3, 4]


def test_a_step_has_its_batch_whatever_was_asked_before() -> None:
    forward = DataOrder(1, 11, 4)
    expected = [forward(step) for step in range(40)]
    backward = DataOrder(1, 11, 4)
    for step in reversed(range(40)):
        assert torch.equal(backward(step), expected[step])
        assert torch.equal(DataOrder(1, 11, 4)(step), expected[step])


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order = DataOrder(0, 100, 100)
    assert not torch.equal(order(0), order(1))
    assert not torch.equal(order(0), DataOrder(1, 100, 100)(0))


def test_permutations_are_uniform() -> None:
    # Chi-square on 6 cells, 3000 draws: exceeds 27.9 with probability 4e-5 if uniform.
    order = DataOrder(0, 3, 3)
    counts: dict[tuple[int, ...], int] = {}
    for step in range(3000):
        key = tuple(order(step).tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 6
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 27.9


def test_rows_that_disagree_or_are_missing_are_refused() -> None:
    assert row_count((torch.zeros(4, 2), torch.zeros(4))) == 4
    for rows in ((), (torch.zeros(4), torch.zeros(3)), (torch.tensor(1.0),)):
        with pytest.raises(InvalidInput, match="same number of rows"):
            row_count(rows)
    with pytest.raises(InvalidInput, match="no rows"):
        row_count((torch.zeros(0, 2),))
