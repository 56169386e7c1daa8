"""Averaged weights: an exponential moving average whose memory warms up."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput


@dataclass(frozen=True)
class WarmedAverage:
    """θ̄ ← β_k θ̄ + (1 − β_k) θ with β_k = min(2^(−1/h), (1 + k)/(10 + k)).

    h is the half-life in steps and k the number of weights averaged before; the first (k = 0) are
    copied. Early on the average spans the last tenth or so of the run instead of h steps, so that
    the initial weights are forgotten.

    Raises
    ------
    InvalidInput
        The half-life is not positive.
    """

    half_life: float

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise InvalidInput(
                f"the half-life of the averaged weights must be positive: got {self.half_life}."
            )

    def decay(self, k: int) -> float:
        """β_k."""
        return min(math.exp2(-1.0 / self.half_life), (1 + k) / (10 + k))

    def __call__(self, averaged: Sequence[Tensor], current: Sequence[Tensor], k: int) -> None:
        torch._foreach_lerp_(list(averaged), list(current), 1.0 - self.decay(k))


class Averaged(nn.Module):
    """A copy of a module that averages it: call `update_parameters` after each step.

    Parameters are averaged by `WarmedAverage`; buffers, which are running statistics of their own
    or integers, are copied. The copy is in evaluation mode and asks for no gradients. Its state is
    laid out as that of ``torch.optim.swa_utils.AveragedModel``, which walks both trees of modules
    at every step.

    Parameters
    ----------
    module
        What is averaged.
    half_life
        In steps.
    """

    n_averaged: Tensor

    def __init__(self, module: nn.Module, half_life: float) -> None:
        super().__init__()
        self._average = WarmedAverage(half_life)
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.register_buffer("n_averaged", torch.tensor(0))
        self.eval()
        self._pairs = _Pairs.of(self.module, module)

    def forward(self, *arguments: Any) -> Any:
        """The averaged module's output."""
        return self.module(*arguments)

    @torch.no_grad()
    def update_parameters(self, module: nn.Module) -> None:
        """θ̄ ← β_k θ̄ + (1 − β_k) θ; the first θ is copied."""
        if module is not self._pairs.source:
            self._pairs = _Pairs.of(self.module, module)
        self._pairs.update(self._average, int(self.n_averaged))
        self.n_averaged += 1


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The parameters of an averaged module and of the module it averages, in one order.

    Buffers are looked up anew at every step, because a module may assign them another tensor.
    """

    source: nn.Module
    averaged: list[Tensor]
    current: list[Tensor]
    buffers: list[tuple[nn.Module, nn.Module, str]]

    @classmethod
    def of(cls, averaged: nn.Module, module: nn.Module) -> _Pairs:
        buffers = [
            (copied, original, name)
            for copied, original in zip(averaged.modules(), module.modules(), strict=True)
            for name, _ in original.named_buffers(recurse=False)
        ]
        return cls(module, list(averaged.parameters()), list(module.parameters()), buffers)

    def update(self, average: WarmedAverage, k: int) -> None:
        if k == 0:
            torch._foreach_copy_(self.averaged, self.current)
        else:
            average(self.averaged, self.current, k)
        for copied, original, name in self.buffers:
            getattr(copied, name).copy_(getattr(original, name))


def averaged_copy(module: nn.Module, half_life: float) -> Averaged:
    """A copy of module that averages it, with a half-life in steps; see `Averaged`."""
    return Averaged(module, half_life)
