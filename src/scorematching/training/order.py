"""Which rows a step sees, as a function of the seed and the step alone."""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.random import seeded


def row_count(rows: tuple[Tensor, ...]) -> int:
    """The number of rows n ≥ 1 that the tensors ``(n, …)`` share.

    Raises
    ------
    InvalidInput
        There are none, or they differ.
    """
    if not rows or any(each.ndim == 0 or len(each) != len(rows[0]) for each in rows):
        shapes = [tuple(each.shape) for each in rows]
        raise InvalidInput(f"rows must be tensors with the same number of rows: got {shapes}.")
    if len(rows[0]) == 0:
        raise InvalidInput("there are no rows to train on.")
    return len(rows[0])


class DataOrder:
    """Fixed-size batches cut from an endless stream of epoch permutations.

    Epoch e is the permutation drawn from (seed, "order", e); step k takes the rows at positions
    kB … (k + 1)B − 1 of the epochs one after the other, so that batches cross epochs and no row
    is left out. B is n where the batch size is larger than that.
    """

    def __init__(self, seed: int, n: int, batch_size: int) -> None:
        self.seed, self.n, self.batch_size = seed, n, min(batch_size, n)
        # The two newest epochs, because drawing a permutation costs more than a small step.
        self._epochs: dict[int, Tensor] = {}

    def __call__(self, step: int) -> Tensor:
        """Row numbers of the batch of this step (from 0), ``(B,)``."""
        start = step * self.batch_size
        epoch, offset = divmod(start, self.n)
        head = self._epoch(epoch)[offset : offset + self.batch_size]
        missing = self.batch_size - len(head)
        return torch.cat([head, self._epoch(epoch + 1)[:missing]]) if missing else head

    def _epoch(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            generator = seeded(self.seed, "order", epoch)
            kept = {e: rows for e, rows in self._epochs.items() if e == epoch - 1}
            self._epochs = {**kept, epoch: torch.randperm(self.n, generator=generator)}
        return self._epochs[epoch]
