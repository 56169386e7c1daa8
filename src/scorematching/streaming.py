"""The rows of a stream as a network is trained on them: prepared each time a group is read."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

from scorematching.data import Dataset, Stream
from scorematching.data.transform import Compose, dequantise
from scorematching.random import seeded

#: Prepared rows that are held at once; a group that is being read comes on top.
WINDOW_BYTES = 256 * 1024**2


@dataclass(frozen=True, eq=False)
class PreparedGroups:
    """The groups of a stream as a network sees them, the held-out rows left out.

    Attributes
    ----------
    stream
        The rows in the data's own units.
    transform
        The preprocessing.
    held_out
        The numbers of the rows that are not trained on, ascending.
    seed
        Of the noise that spreads whole numbers: a function of seed and group.
    spread
        Whether whole numbers are spread over their unit intervals.
    dtype
        Of the prepared rows.
    """

    stream: Stream
    transform: Compose
    held_out: Tensor
    seed: int
    spread: bool
    dtype: torch.dtype

    @cached_property
    def firsts(self) -> tuple[int, ...]:
        """The number of the first row of each group in the stream, and the number of rows."""
        return firsts_of(self.stream)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows of each group that are trained on."""
        counts = torch.searchsorted(self.held_out, torch.tensor(self.firsts)).diff()
        return tuple(
            size - held for size, held in zip(self.stream.sizes, counts.tolist(), strict=True)
        )

    @property
    def window(self) -> int:
        """The number of rows that `WINDOW_BYTES` hold."""
        label = 0 if self.stream.class_counts is None else 8
        row = self.dtype.itemsize * math.prod(self.stream.schema.event) + label
        return max(1, WINDOW_BYTES // row)

    def read(self, group: int) -> tuple[Tensor, ...]:
        """The prepared rows of a group, and their classes if any."""
        data, kept = self.stream.read(group), self._kept(group)
        values = spread(data, self.seed, group, enabled=self.spread)[kept]
        rows = self.transform.forward(values).to(self.dtype)
        return (rows,) if data.labels is None else (rows, torch.from_numpy(data.labels)[kept])

    def digest(self) -> str:
        """SHA-256 over the stream's and its groups, the rows left out and the preprocessing."""
        words = (self.stream.digest, self.stream.sizes, self.spread, self.dtype)
        digest = hashlib.sha256(" ".join(map(str, words)).encode())
        for each in (self.held_out, *self.transform.tensors().values()):
            digest.update(each.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _kept(self, group: int) -> Tensor:
        first, end = self.firsts[group : group + 2]
        size = end - first
        kept = torch.ones(size, dtype=torch.bool)
        kept[inside(self.held_out, first, size)] = False
        return kept


def positions(n: int, at_most: int, seed: int, purpose: str) -> Tensor:
    """At most so many numbers of n rows, drawn at random without repetition, ascending."""
    drawn = torch.randint(n, (at_most,), generator=seeded(seed, purpose))
    return drawn.sort().values.unique_consecutive()  # type: ignore[no-any-return, no-untyped-call]


def spread(data: Dataset, seed: int, group: int, *, enabled: bool) -> Tensor:
    """The values of a group in float64, whole numbers spread over unit intervals if enabled."""
    values = torch.from_numpy(data.values)
    if not enabled:
        return values
    return dequantise(values, data.schema, seeded(seed, "dequantise", "group", group))


def firsts_of(stream: Stream) -> tuple[int, ...]:
    """The number of the first row of each group, and the number of rows."""
    return (0, *accumulate(stream.sizes))


def inside(numbers: Tensor, first: int, size: int) -> Tensor:
    """Those of ascending numbers that are of a group, counted from its first row."""
    begin, end = torch.searchsorted(numbers, torch.tensor([first, first + size])).tolist()
    return numbers[begin:end] - first
