"""Several processes that train one model: which one this is, and what they tell each other.

Under ``torchrun --nproc-per-node N`` each process holds the whole model and evaluates its share of
every batch; their gradients are added up. Sums and decisions are the same in all, so that they
stay in step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from scorematching.errors import InvalidInput, ScoreMatchingError, TrainingFailed


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone by default.

    Every method is called by all of them at the same place, and returns the same in all. Alone
    they do nothing.

    Parameters
    ----------
    rank
        The number of this process, from 0.
    size
        How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is process 0, the one that writes files and shows progress."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    def share(self, n: int, unit: int = 1) -> slice:
        """This process's rows of a batch of n: cut at multiples of unit, as evenly as that allows.

        Raises
        ------
        InvalidInput
            A process would have no rows.
        """
        blocks = n // unit
        if blocks < self.size and not self.alone:
            of = "" if unit == 1 else f", in blocks of {unit} (one a member of the ensemble),"
            raise InvalidInput(
                f"a batch of {n} rows{of} cannot be shared by {self.size} processes. Start "
                f"{max(1, blocks)} with torchrun --nproc-per-node, or raise batch_size."
            )
        start, end = (unit * (blocks * rank // self.size) for rank in (self.rank, self.rank + 1))
        return slice(start, n if self.rank == self.size - 1 else end)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in place; all on one device."""
        if self.alone:
            return
        for dtype in dict.fromkeys(each.dtype for each in tensors):
            some = [each for each in tensors if each.dtype == dtype]
            flat = torch.cat([each.reshape(-1) for each in some])
            dist.all_reduce(flat)
            parts = torch.split(flat, [each.numel() for each in some])
            torch._foreach_copy_(some, [p.view_as(t) for p, t in zip(parts, some, strict=True)])

    def largest(self, values: Sequence[int]) -> list[int]:
        """The largest of each value over the processes."""
        if self.alone:
            return list(values)
        tensor = torch.tensor(values)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return [int(each) for each in tensor]

    def of_first(self, content: bytes) -> bytes:
        """The bytes that process 0 passes; what the others pass is ignored."""
        if self.alone:
            return content
        length = torch.tensor([len(content)])
        dist.broadcast(length, 0)
        received = torch.empty(int(length), dtype=torch.uint8)
        if self.first and content:
            received.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        if int(length):
            dist.broadcast(received, 0)
        return received.numpy().tobytes()

    def by_first(self, action: Callable[[], bytes | None]) -> bytes:
        """Let process 0 act while the others wait, and give its bytes to all.

        Raises
        ------
        TrainingFailed
            It failed there, and this is another process; process 0 raises what it met.
        """
        result, failure = b"", None
        if self.first:
            try:
                result = action() or b""
            except (ScoreMatchingError, OSError) as error:
                if self.alone:
                    raise
                failure = error
        if self.alone:
            return result
        told = self.of_first(b"" if failure is None else f"{failure}".encode() or b"?")
        if failure is not None:
            raise failure
        if told:
            raise TrainingFailed(f"process 0 failed: {told.decode(errors='replace')}")
        return self.of_first(result)

    def check_same(self, digest: bytes, what: str) -> None:
        """Raise InvalidInput in all processes unless they pass the same digest."""
        different = self.of_first(digest) != digest
        if self.largest([different])[0]:
            raise InvalidInput(
                f"the processes started together have different {what}: all of them fit one model "
                "to the same data, each its share of every batch. Give them the same, or start "
                "separate fits without torchrun."
            )


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started with this one, or this one alone.

    A process group that is there already is used and left as it is. Otherwise one is made: gloo
    for the CPU, and NCCL for cards, where each process gets the card of its local number.

    Raises
    ------
    InvalidInput
        The others cannot be reached.
    """
    if not dist.is_available():
        yield ALONE
        return
    if dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size())
        return
    started = int(os.environ.get("WORLD_SIZE", "1")) if dist.is_torchelastic_launched() else 1
    if started == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError) as error:
        raise InvalidInput(f"the {started} processes cannot reach each other: {error}.") from error
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
