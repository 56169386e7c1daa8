"""Averaged weights: an exponential moving average whose memory warms up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

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

    def __call__(
        self, averaged: Sequence[Tensor], current: Sequence[Tensor], k: Tensor | int
    ) -> None:
        torch._foreach_lerp_(list(averaged), list(current), 1.0 - self.decay(int(k)))


def averaged_copy(module: nn.Module, half_life: float) -> AveragedModel:
    """A copy of module that averages it: ``copy.update_parameters(module)`` after each step.

    Parameters are averaged by `WarmedAverage`; buffers, which are running statistics of their own
    or integers, are copied. The copy is in evaluation mode and asks for no gradients.
    """
    averaged = AveragedModel(module, multi_avg_fn=WarmedAverage(half_life))
    averaged.requires_grad_(False)
    averaged.eval()
    return averaged
