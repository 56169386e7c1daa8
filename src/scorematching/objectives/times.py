"""Laws of the time at which a row is noised in training.

Each draws times ``(n,)`` for n rows. Stratified draws put one row into each of n equally likely
slices, which takes the noise of the level out of the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.noise.process import Process
from scorematching.random import uniform
from scorematching.shapes import positive


class Times(Protocol):
    """A law of times: draws ``(n,)`` in the dtype and on the device of `like`."""

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None, /
    ) -> Tensor: ...


@dataclass(frozen=True)
class UniformTimes:
    """t uniform on [t_min, t_max]."""

    stratified: bool = False

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        u = quantiles(n, like, generator, stratified=self.stratified)
        return process.t_min + u * (process.t_max - process.t_min)


@dataclass(frozen=True)
class UniformLevels:
    """t uniform on the whole numbers from t_min to t_max: the levels of a ladder."""

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        levels = process.t_max - process.t_min + 1
        return process.t_min + (uniform((n,), like, generator) * levels).floor()


@dataclass(frozen=True)
class LogNormalTimes:
    """ln t ~ N(mean, std²), kept within [t_min, t_max]; for `EDM`, where t is the noise level.

    Raises
    ------
    InvalidInput
        std is not positive and finite.
    """

    mean: float = -1.2
    std: float = 1.2
    stratified: bool = True

    def __post_init__(self) -> None:
        positive(self.std, "std")

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        u = quantiles(n, like, generator, stratified=self.stratified)
        t = torch.exp(self.mean + self.std * torch.special.ndtri(u))
        return t.clamp(process.t_min, process.t_max)


def quantiles(
    n: int, like: Tensor, generator: torch.Generator | None, *, stratified: bool
) -> Tensor:
    """n uniform numbers; stratified: one in each [i/n, (i+1)/n), in order."""
    u = uniform((n,), like, generator)
    if not stratified:
        return u
    return (torch.arange(n, dtype=like.dtype, device=like.device) + u) / n
