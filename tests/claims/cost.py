"""What an objective costs: passes through the model, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from scorematching.typing import Score


@dataclass
class Passes:
    """Passes through a model, counted."""

    forward: int = 0
    backward: int = 0

    def __str__(self) -> str:
        return f"{self.forward} forward, {self.backward} backward"


class Tap(torch.autograd.Function):
    """The identity, which counts the backward passes through it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, used: Passes) -> Tensor:
        ctx.used = used
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        ctx.used.backward += 1
        return grad, None


@dataclass(frozen=True)
class CountedScore:
    """A score that counts the passes through it."""

    score: Score
    used: Passes = field(default_factory=Passes)

    def __call__(self, x: Tensor) -> Tensor:
        self.used.forward += 1
        return self.score(Tap.apply(x, self.used))


def passes(objective: Callable[[Score], Tensor], score: Score) -> Passes:
    """The passes that one evaluation of an objective's loss takes."""
    counted = CountedScore(score)
    objective(counted)
    return counted.used
