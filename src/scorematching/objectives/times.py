"""Laws of the time at which a row is noised in training.

Each draws times ``(n,)`` for n rows. Stratified draws put one row into each of n equally likely
slices, which takes the noise of the level out of the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.ladder import Ladder
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
    """t uniform on the levels 0, 1, …, L − 1 of a `Ladder`.

    Calling it raises `InvalidInput` for a process without levels.
    """

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        if not isinstance(process, Ladder):
            raise InvalidInput(
                f"UniformLevels draws the levels of a Ladder: got {process}. Use UniformTimes(), "
                "or Ladder.geometric(sigma_min, sigma_max, n_levels)."
            )
        return (uniform((n,), like, generator) * len(process.levels)).floor()


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
