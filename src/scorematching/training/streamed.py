"""Batches of rows that do not fit into memory: groups of rows read as they are needed.

The groups are permuted each epoch and cut into windows of as many rows as may be held at once;
the rows of a window are permuted in memory. A row thus meets those of its window only, and
everything is a function of the seed and the step.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.random import seeded
from scorematching.training.batches import Batch


class RowGroups(Protocol):
    """Rows that are read a group at a time; what a group holds depends on its number alone."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows of each group."""
        ...

    @property
    def window(self) -> int:
        """How many rows may be held at once; a larger group is held all the same."""
        ...

    def read(self, group: int) -> tuple[Tensor, ...]:
        """The rows of a group, and what belongs to them, ``(sizes[group], …)`` each."""
        ...

    def digest(self) -> str:
        """What tells the rows from others."""
        ...


@dataclass(frozen=True)
class Window:
    """Groups held together: at which row of the epoch they begin, and how many rows they have."""

    groups: tuple[int, ...]
    start: int
    size: int


class Streamed:
    """Fixed-size batches from windows of groups, epoch after epoch; as `order.DataOrder` otherwise.

    Parameters
    ----------
    groups
        The rows.
    seed
        Of the order of groups and rows.
    batch_size
        Rows a batch; all of them where there are fewer.

    Raises
    ------
    InvalidInput
        There are no rows.
    """

    def __init__(self, groups: RowGroups, seed: int, batch_size: int) -> None:
        self.groups, self.seed, self.n = groups, seed, sum(groups.sizes)
        if self.n == 0:
            raise InvalidInput("there are no rows to train on.")
        self.batch_size = min(batch_size, self.n)
        self._firsts = (0, *accumulate(groups.sizes))
        self._epochs: dict[int, list[Window]] = {}
        self._held: tuple[tuple[int, ...], tuple[Tensor, ...]] | None = None
        self._order: tuple[tuple[int, int], Tensor] | None = None

    def __call__(self, step: int) -> Batch:
        """The rows of the batch of this step (from 0), and their numbers."""
        parts, numbers = [], []
        epoch, offset = divmod(step * self.batch_size, self.n)
        for rows, some in self._pieces(epoch, offset, self.batch_size):
            parts.append(rows)
            numbers.append(some)
        return tuple(torch.cat(each) for each in zip(*parts, strict=True)), torch.cat(numbers)

    def digest(self) -> str:
        """That of the groups."""
        return self.groups.digest()

    def windows(self, epoch: int) -> list[Window]:
        """The windows of an epoch, in order."""
        if epoch not in self._epochs:
            sizes = self.groups.sizes
            order = torch.randperm(len(sizes), generator=seeded(self.seed, "groups", epoch))
            parts: list[list[int]] = []
            room = 0
            for group in (each for each in order.tolist() if sizes[each]):
                if not parts or sizes[group] > room:
                    parts.append([])
                    room = self.groups.window
                parts[-1].append(group)
                room -= sizes[group]
            counts = [sum(sizes[group] for group in part) for part in parts]
            starts = accumulate(counts, initial=0)
            windows = [
                # Read in the order of the file, which makes no difference after the permutation.
                Window(tuple(sorted(part)), start, count)
                for part, start, count in zip(parts, starts, counts, strict=False)
            ]
            kept = {e: found for e, found in self._epochs.items() if e == epoch - 1}
            self._epochs = {**kept, epoch: windows}
        return self._epochs[epoch]

    def _pieces(
        self, epoch: int, offset: int, count: int
    ) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """count rows from the offset in the epoch on, window by window."""
        while count:
            windows = self.windows(epoch)
            number = bisect_right([each.start for each in windows], offset) - 1
            window = windows[number]
            begin = offset - window.start
            picked = self._permutation(epoch, number, window)[begin : begin + count]
            yield (
                tuple(each.index_select(0, picked) for each in self._rows(window)),
                self._numbers(window, picked),
            )
            count -= len(picked)
            offset += len(picked)
            if offset == self.n:
                epoch, offset = epoch + 1, 0

    def _permutation(self, epoch: int, number: int, window: Window) -> Tensor:
        if self._order is None or self._order[0] != (epoch, number):
            generator = seeded(self.seed, "window", epoch, number)
            self._order = (epoch, number), torch.randperm(window.size, generator=generator)
        return self._order[1]

    def _rows(self, window: Window) -> tuple[Tensor, ...]:
        """The rows of the groups of a window, one after the other; the newest are kept."""
        if self._held is None or self._held[0] != window.groups:
            self._held = None  # let go before reading, so that one window is held at a time
            rows: list[Tensor] = []
            filled = 0
            for group in window.groups:
                size = self.groups.sizes[group]
                parts = self.groups.read(group)
                if any(len(each) != size for each in parts):
                    got = ", ".join(str(len(each)) for each in parts)
                    raise InvalidInput(
                        f"group {group} of the rows has {got} rows and had {size}: the files have "
                        "changed since they were first read. Start again."
                    )
                rows = rows or [each.new_empty(window.size, *each.shape[1:]) for each in parts]
                for held, part in zip(rows, parts, strict=True):
                    held[filled : filled + size] = part
                filled += size
            self._held = window.groups, tuple(rows)
        return self._held[1]

    def _numbers(self, window: Window, picked: Tensor) -> Tensor:
        """The numbers of rows in the data, from their places in a window."""
        sizes = torch.tensor([self.groups.sizes[group] for group in window.groups])
        ends = sizes.cumsum(0)
        group = torch.searchsorted(ends, picked, right=True)
        firsts = torch.tensor([self._firsts[each] for each in window.groups])
        return firsts[group] + picked - (ends - sizes)[group]
