"""A module evaluated on a process's share of each batch, with the draws of the whole batch.

A loss draws its noise for the whole batch in every process, and calls the module with all of its
rows; the module sees only those of this process, and rows of zeros come back for the others, whose
losses are dropped. So noise is a function of seed, step and the row's place in the batch, whatever
the number of processes. Dropout draws its mask for the whole batch as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd

from scorematching.errors import InvalidInput
from scorematching.nets import Ensemble
from scorematching.training.processes import Processes

MULTIPLICATIVE = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(eq=False)
class Sharing:
    """The share of the batch in progress; changed in place as the module is called.

    Attributes
    ----------
    processes
        Which process this is.
    unit
        Rows are shared in blocks of so many: one for each member of an ensemble.
    n, rows
        The rows of the batch, and this process's among them.
    inside
        Whether the module is being evaluated on them.
    """

    processes: Processes
    unit: int = 1
    n: int = 0
    rows: slice = field(default_factory=lambda: slice(0, 0))
    inside: bool = False

    @contextmanager
    def of(self, n: int) -> Iterator[slice]:
        """Share a batch of n rows inside the block; the rows of this process."""
        self.rows, self.n = self.processes.share(n, self.unit), n
        try:
            yield self.rows
        finally:
            self.n, self.inside = 0, False

    def before(self, module: nn.Module, arguments: Any, named: Any) -> Any:
        """Forward pre-hook: every argument that has the batch's rows keeps this process's."""
        first = arguments[0] if arguments else None
        if not self.n or not isinstance(first, Tensor) or first.shape[:1] != (self.n,):
            return None
        self.inside = True
        return (
            tuple(self._mine(each) for each in arguments),
            {name: self._mine(each) for name, each in named.items()},
        )

    def after(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        """Forward hook: zeros for the rows of the other processes."""
        if not self.inside:
            return None
        self.inside = False
        if not isinstance(output, Tensor):
            raise InvalidInput(
                "several processes can share a batch only of a module that returns one tensor: "
                f"got {type(output).__name__}. Train it in one process."
            )
        event = output.shape[1:]
        before, behind = self.rows.start, self.n - self.rows.stop
        return torch.cat(
            [output.new_zeros(before, *event), output, output.new_zeros(behind, *event)]
        )

    def _mine(self, argument: Any) -> Any:
        has_rows = isinstance(argument, Tensor) and argument.shape[:1] == (self.n,)
        return argument[self.rows] if has_rows else argument


@dataclass(eq=False)
class SharedDropout:
    """The forward of a dropout layer: the mask that one process would draw, this process's rows.

    Parameters
    ----------
    layer
        Of `MULTIPLICATIVE`.
    sharing
        The batch in progress.
    member, members
        Which member of an ensemble it belongs to, of how many: that one sees every members'th row.
    """

    layer: Any
    sharing: Sharing
    member: int = 0
    members: int = 1

    def __call__(self, x: Tensor) -> Tensor:
        own = type(self.layer).forward
        if not (self.layer.training and self.sharing.inside):
            plain: Tensor = own(self.layer, x)
            return plain
        n = len(range(self.member, self.sharing.n, self.members))
        start = self.sharing.rows.start // self.members
        ones = x.new_ones(n, *x.shape[1:])
        if x.ndim == 4 and not x.is_contiguous():
            # The draws go along memory: an image's channels may come last there.
            ones = ones.contiguous(memory_format=torch.channels_last)
        mask: Tensor = own(self.layer, ones)
        return x * mask[start : start + len(x)]


@contextmanager
def shared(module: nn.Module, processes: Processes) -> Iterator[Sharing]:
    """Let the module evaluate this process's rows alone while a batch is being shared.

    Raises
    ------
    InvalidInput
        Its rows depend on each other, so that shares would not add up to the batch; or it has a
        dropout whose mask cannot be shared.
    """
    sharing = Sharing(processes)
    if processes.alone:
        yield sharing
        return
    _check(module)
    places = _places(module)
    sharing.unit = math.lcm(*(members for _, members in places.values()))
    handles = [
        module.register_forward_pre_hook(sharing.before, with_kwargs=True),
        module.register_forward_hook(sharing.after),
    ]
    layers = [each for each in module.modules() if isinstance(each, MULTIPLICATIVE)]
    for layer in layers:
        setattr(layer, "forward", SharedDropout(layer, sharing, *places.get(layer, (0, 1))))  # noqa: B010
    try:
        yield sharing
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers:
            del layer.forward


def _places(module: nn.Module) -> dict[nn.Module, tuple[int, int]]:
    """Every module inside an ensemble: the number of its member and of how many."""
    return {
        inner: (number, len(each.members))
        for each in module.modules()
        if isinstance(each, Ensemble)
        for number, member in enumerate(each.members)
        for inner in member.modules()
    }


def _check(module: nn.Module) -> None:
    for name, each in module.named_modules():
        kind = type(each).__name__
        across = isinstance(each, _BatchNorm)
        if across or (isinstance(each, _NormBase) and each.track_running_stats):
            raise InvalidInput(
                f"{name} ({kind}) takes statistics over the rows of a batch, which several "
                "processes do not see together. Use GroupNorm or LayerNorm, or train in one "
                "process."
            )
        if isinstance(each, _DropoutNd) and not isinstance(each, MULTIPLICATIVE):
            raise InvalidInput(
                f"{name} ({kind}) cannot be shared by several processes. Use nn.Dropout, or train "
                "in one process."
            )
