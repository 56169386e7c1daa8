"""Batches of rows read in groups: each row once an epoch, shuffled by the seed and step alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.training.streamed import Streamed


@dataclass
class Numbered:
    """Groups of rows that hold their own numbers; it counts what is read."""

    sizes: tuple[int, ...]
    window: int
    read_so_far: list[int] = field(default_factory=list)

    def read(self, group: int) -> tuple[Tensor, ...]:
        self.read_so_far.append(group)
        first = [0, *accumulate(self.sizes)][group]
        rows = torch.arange(first, first + self.sizes[group], dtype=torch.float64)
        return rows[:, None], rows.long() % 7

    def digest(self) -> str:
        return f"{self.sizes}"


SIZES = (13, 40, 7, 25, 0, 31, 9)  # 125 rows


def test_every_row_comes_once_an_epoch_with_its_number_and_what_belongs_to_it() -> None:
    for window in (1, 40, 60, 1000):
        stream = Streamed(Numbered(SIZES, window), 3, 25)
        for epoch in range(3):
            batches = [stream(step) for step in range(5 * epoch, 5 * epoch + 5)]
            numbers = torch.cat([numbers for _, numbers in batches])
            assert numbers.sort().values.tolist() == list(range(125))
            for (rows, classes), found in batches:
                assert rows.shape == (25, 1)
                assert torch.equal(rows[:, 0].long(), found)
                assert torch.equal(classes, found % 7)


def test_batches_cross_windows_and_epochs_and_leave_no_row_out() -> None:
    stream = Streamed(Numbered(SIZES, 40), 3, 32)
    numbers = torch.cat([stream(step)[1] for step in range(125)])
    assert set(Counter(numbers.tolist()).values()) == {32}
    for epoch in range(32):
        assert len(set(numbers[125 * epoch : 125 * (epoch + 1)].tolist())) == 125


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    ahead = Streamed(Numbered(SIZES, 40), 3, 16)
    expected = [ahead(step) for step in range(30)]
    for step in (29, 4, 17, 0):
        (rows, classes), numbers = Streamed(Numbered(SIZES, 40), 3, 16)(step)
        assert torch.equal(numbers, expected[step][1])
        assert torch.equal(rows, expected[step][0][0])
        assert torch.equal(classes, expected[step][0][1])
    other = Streamed(Numbered(SIZES, 40), 4, 16)
    assert not torch.equal(other(0)[1], expected[0][1])


def test_windows_hold_no_more_rows_than_asked_but_for_one_large_group() -> None:
    for window in (30, 45, 80):
        stream = Streamed(Numbered(SIZES, window), 0, 10)
        for epoch in range(20):
            for each in stream.windows(epoch):
                assert each.size <= window or len(each.groups) == 1
            assert sum(each.size for each in stream.windows(epoch)) == 125


def test_a_window_is_read_once_and_rows_that_all_fit_are_read_once_for_all() -> None:
    groups = Numbered(SIZES, 40)
    stream = Streamed(groups, 1, 5)
    for step in range(25):
        stream(step)
    assert sorted(groups.read_so_far) == [0, 1, 2, 3, 5, 6]  # and the empty one never
    everything = Numbered(SIZES, 125)
    stream = Streamed(everything, 1, 5)
    for step in range(200):
        stream(step)
    assert len(everything.read_so_far) == 6


def test_places_in_an_epoch_are_uniform_where_all_rows_fit_and_spread_where_they_do_not() -> None:
    """The mean place of the rows of the first group over 400 epochs: uniform on 0 … 124."""
    for window, groups in ((1000, SIZES), (26, (25, 25, 25, 25, 25))):
        stream = Streamed(Numbered(groups, window), 0, 125)
        places = torch.stack([stream(epoch)[1].argsort()[:25].double() for epoch in range(400)])
        first = places[:, 0]  # one row's, independent from epoch to epoch
        assert stats.kstest((first / 125).numpy(), stats.uniform.cdf).pvalue > 1e-3
        # The control: rows of one group stay together where a window holds no more than that.
        together = float(places.std(1).mean())
        assert (together < 10) == (window == 26)


def test_rows_are_numbered_across_groups_left_empty() -> None:
    stream = Streamed(Numbered((0, 3, 0, 2, 0), 10), 0, 5)
    assert sorted(stream(0)[1].tolist()) == [0, 1, 2, 3, 4]


def test_no_rows_and_rows_that_change_are_refused() -> None:
    with pytest.raises(InvalidInput, match="there are no rows to train on"):
        Streamed(Numbered((0, 0), 10), 0, 5)
    groups = Numbered(SIZES, 40)
    stream = Streamed(groups, 0, 5)
    groups.read = lambda group: (torch.zeros(3, 1),)  # type: ignore[method-assign]
    with pytest.raises(InvalidInput, match="the files have changed since they were first read"):
        stream(0)


def test_a_streamed_run_stopped_and_resumed_is_the_run_never_stopped(
    toy: Any, tmp_path: Path
) -> None:
    def loss(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        x = torch.cat([batch[0] / 60 - 1, batch[0].cos(), batch[0].sin()], 1).float()
        return (module(x)[:, 0] - batch[1]).square()

    settings = replace(toy.settings, validate_every=None)
    options = {"settings": settings, "validate": None, "loss": loss}
    straight, resumed = toy.module(), toy.module()
    list(toy.train(straight, rows=Numbered(SIZES, 40), **options))
    toy.train_until(23, tmp_path, rows=Numbered(SIZES, 40), **options)
    rest = toy.train(resumed, rows=Numbered(SIZES, 40), folder=tmp_path, resume=True, **options)
    assert next(rest).step == 24
    list(rest)
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    other = toy.train(rows=Numbered((*SIZES, 1), 40), folder=tmp_path, resume=True, **options)
    with pytest.raises(InvalidInput, match="the data differ"):
        next(other)
