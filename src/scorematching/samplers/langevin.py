"""Unadjusted Langevin: x ← x + η s(x) + √(2η) z.

G. Parisi, "Correlation functions and computer simulations", Nuclear Physics B 180 (1981);
G. O. Roberts & R. L. Tweedie, "Exponential convergence of Langevin distributions and their
discrete approximations", Bernoulli 2 (1996).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from scorematching.hutchinson import check_count
from scorematching.samplers.walk import OnlyX, Progress, Walk, drawn, walk
from scorematching.shapes import check_like, positive
from scorematching.typing import Score


@dataclass(frozen=True)
class UnadjustedLangevin:
    """One step x ← x + η s(x) + √(2η) z; the times are not used.

    Raises
    ------
    InvalidInput
        η is not positive and finite.
    """

    score: Score
    step_size: float

    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 1

    def __post_init__(self) -> None:
        positive(self.step_size, "step_size")

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(self, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None) -> OnlyX:
        return OnlyX(langevin_step(state.x, self.score, self.step_size, drawn(z)))


def langevin_step(x: Tensor, score: Score, step_size: float, z: Tensor) -> Tensor:
    """x + η s(x) + √(2η) z, like x."""
    drift = check_like(score(x), x, "a score")
    return x + step_size * drift + math.sqrt(2 * step_size) * z


def ula(
    score: Score,
    x: Tensor,
    step_size: float,
    n_steps: int,
    *,
    generator: torch.Generator | None = None,
    callback: Callable[[Progress], None] | None = None,
    record_every: int | None = None,
) -> Walk:
    """Run one unadjusted Langevin chain from each row, x ← x + η s(x) + √(2η) z.

    Nothing corrects the discretisation: on N(0, 1) the chain's variance is 1/(1 − η/2), not 1, and
    it needs η < 2 there (in general η < 2/L for a score with Lipschitz constant L).

    Parameters
    ----------
    score
        ∇ log p: x ``(n, *event)`` → like x.
    x
        The starts, ``(n, *event)``.
    step_size
        η, in units of x².
    n_steps
        The number of steps.
    generator, callback, record_every
        As in `walk`; a `Progress` counts the steps as its time.

    Raises
    ------
    InvalidInput
        η or n_steps is not positive, or x is unusable.
    Diverged
        Every chain became non-finite.
    """
    check_count(n_steps, "n_steps")
    return walk(
        UnadjustedLangevin(score, float(step_size)),
        x,
        torch.arange(n_steps + 1, dtype=torch.float64),
        generator=generator,
        callback=callback,
        record_every=record_every,
    )
