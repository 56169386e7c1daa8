"""Where the batches of a run come from: rows in memory, or read a few groups at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from scorematching.training.checkpoint import data_hash
from scorematching.training.order import DataOrder

Batch = tuple[tuple[Tensor, ...], Tensor]


class Batches(Protocol):
    """The rows of each step, and their numbers ``(B,)``: a function of the step alone."""

    @property
    def batch_size(self) -> int:
        """B."""
        ...

    def __call__(self, step: int, /) -> Batch: ...

    def digest(self) -> str:
        """What tells the rows from others: the same text for the same rows in the same order."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Batches of tensors of rows ``(n, …)``, in an order."""

    rows: tuple[Tensor, ...]
    order: DataOrder

    @property
    def batch_size(self) -> int:
        """Rows of a batch."""
        return self.order.batch_size

    def __call__(self, step: int) -> Batch:
        """The rows of the batch of this step (from 0), and their numbers."""
        numbers = self.order(step)
        batch = tuple(each.index_select(0, numbers.to(each.device)) for each in self.rows)
        return batch, numbers

    def digest(self) -> str:
        """`data_hash` of the rows."""
        return data_hash(self.rows)
