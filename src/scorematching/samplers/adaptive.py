"""The probability flow with steps that each row chooses for itself, by an embedded pair.

E. Hairer, S. P. Nørsett & G. Wanner, "Solving ordinary differential equations I" (1993), II.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from scorematching.errors import Diverged
from scorematching.hutchinson import check_count
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion, denoise_at
from scorematching.samplers.embedded import (
    DORMAND_PRINCE,
    Pair,
    advanced,
    combined,
    radius,
    slope,
    stages,
)
from scorematching.samplers.grids import LogUniformGrid
from scorematching.samplers.walk import Progress, Walk, rows_of, walk
from scorematching.shapes import event_size, per_row, positive, sum_event
from scorematching.typing import NoisyScore

LONGEST = 1.0  # in ln σ
SHORTEST = 1e-9  # of a whole walk: a row that asks for less has no solution to follow


@dataclass(frozen=True)
class Tolerance:
    """The error that a step may make: a row's norm √(mean (e/(absolute + relative·max|v|))²) ≤ 1.

    v is the row scaled to unit variance at every level, if the data have unit variance. The norm
    is over the coordinates of one row, so that no row depends on another.

    Raises
    ------
    InvalidInput
        One of them is not positive and finite.
    """

    relative: float = 1e-3
    absolute: float = 1e-3

    def __post_init__(self) -> None:
        positive(self.relative, "the relative tolerance")
        positive(self.absolute, "the absolute tolerance")

    def ratio(self, error: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Each row's error over what is allowed, ``(n,)`` in float64; ∞ where it is not finite."""
        scale = self.absolute + self.relative * torch.maximum(before.abs(), after.abs())
        mean = sum_event((error / scale).double() ** 2) / event_size(error)
        return mean.sqrt().nan_to_num(nan=math.inf)


class Adapting(NamedTuple):
    """Rows on their own ways.

    Attributes
    ----------
    x
        The unscaled rows y = x_t/α.
    log_level
        ln σ, ``(n,)`` in float64.
    step
        The size of the next attempt in ln σ, ``(n,)``, positive.
    first
        dv/d ln σ here, like x; None before the first attempt.
    """

    x: Tensor
    log_level: Tensor
    step: Tensor
    first: Tensor | None


@dataclass(frozen=True)
class AdaptiveRungeKutta:
    """One attempt of each row: a step of its own size, taken if its error is within the tolerance.

    The next attempt is 0.9 E^{−1/p} times as long, E the error over what is allowed and p the
    order of the pair, but within [0.2, 3] times and no longer than 1 in ln σ: a longer step can
    pass over the levels where the rows part without a slope taken there, and see no error. The
    times are not used: a row keeps its own. A row that has arrived stays where it is.
    """

    diffusion: Diffusion
    pair: Pair
    tolerance: Tolerance
    start: float
    end: float

    draws: ClassVar[int] = 0

    @property
    def order(self) -> int:
        return self.pair.order

    @property
    def evaluations(self) -> int:
        """Of an attempt; the first one takes another."""
        return len(self.pair.nodes)

    def init(self, x: Tensor) -> Adapting:
        here = torch.full(x.shape[:1], self.start, dtype=torch.float64, device=x.device)
        step = min(LONGEST, (self.start - self.end) / 16)
        return Adapting(x, here, torch.full_like(here, step), None)

    def arrived(self, state: Adapting) -> Tensor:
        """The rows that are at the end, ``(n,)``."""
        return state.log_level <= self.end

    def __call__(self, state: Adapting, t: Tensor, t_next: Tensor, z: Tensor | None) -> Adapting:
        here, arrived = state.log_level, self.arrived(state)
        last = state.step >= here - self.end
        there = torch.where(last, self.end, here - state.step)
        h = there - here
        levels, times = stages(self.pair, self.diffusion.process, here, there)
        v = state.x / per_row(radius(here), state.x)
        v_next, slopes = advanced(self.pair, self.diffusion, v, levels, times, state.first)
        final = slope(self.diffusion, v_next, there, times[-1])
        error = combined(torch.zeros_like(v), h, self.pair.error, [*slopes, final])
        ratio = self.tolerance.ratio(error, v, v_next)
        factor = (0.9 * ratio ** (-1 / self.pair.order)).clamp(0.2, 3.0)
        taken = (ratio <= 1) & ~arrived
        x = torch.where(rows_of(taken, v), v_next * per_row(radius(there), v), state.x)
        lost = ~taken & ~arrived & (state.step < SHORTEST * (self.start - self.end))
        return Adapting(
            torch.where(rows_of(lost, v), torch.nan, x),
            torch.where(taken, there, here),
            torch.where(arrived, state.step, (-h * factor).clamp(max=LONGEST)),
            torch.where(rows_of(taken, v), final, slopes[0]),
        )


def adaptive_flow(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    *,
    tolerance: Tolerance | None = None,
    pair: Pair = DORMAND_PRINCE,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    max_attempts: int = 1000,
    final_denoise: bool = True,
    callback: Callable[[Progress], None] | None = None,
) -> Walk:
    """Follow the probability flow with steps that keep each row's error within a tolerance.

    Parameters
    ----------
    tolerance
        ``Tolerance(1e-3, 1e-3)`` by default, an error a step; those of a whole walk add up.
    pair
        ``DORMAND_PRINCE`` (the default, six evaluations an attempt) or ``BOGACKI_SHAMPINE`` (three;
        better where little accuracy is asked for).
    sigma_min, sigma_max
        Where the flow ends and starts, as levels σ/α; by default the process's own range.
    max_attempts
        A row that has not arrived after so many is flagged as diverged and left where it was.
    callback
        As in `walk`: x are the unscaled rows x_t/α, and the attempts count as the time.
    noisy_score, process, x, final_denoise
        As in `run_backwards`.

    Returns
    -------
    Walk
        ``n_evaluations`` are those of the row that needed most: rows that have arrived wait.

    Raises
    ------
    InvalidInput
        An argument is out of its range.
    Diverged
        No row arrived.
    """
    check_count(max_attempts, "max_attempts")
    diffusion = Diffusion(noisy_score, process)
    times = LogUniformGrid(1, sigma_min, sigma_max)(process)
    start, end = process.noise_level(times).log().tolist()
    step = AdaptiveRungeKutta(diffusion, pair, tolerance or Tolerance(), start, end)
    result = walk(
        step,
        x / diffusion.scales(times[0])[0],
        torch.arange(max_attempts + 1, dtype=torch.float64),
        callback=callback,
        until=step.arrived,
    )
    state = result.state
    assert isinstance(state, Adapting)
    scale = process.alpha(process.time_of(state.log_level.exp()))
    result = landed(result, step.arrived(state), scale, max_attempts)
    # The slope before the first attempt is one evaluation more.
    result = replace(result, n_evaluations=result.n_evaluations + 1)
    return denoise_at(result, diffusion, times[-1]) if final_denoise else result


def landed(result: Walk, arrived: Tensor, scale: Tensor, max_attempts: int) -> Walk:
    """The walk in x = αy, α one per row; the rows that have not arrived count as diverged.

    Raises
    ------
    Diverged
        No row arrived.
    """
    diverged = result.diverged | ~arrived
    if bool(diverged.all()):
        raise Diverged(
            f"none of {len(diverged)} rows arrived: {int((~result.diverged).sum())} were under way "
            f"after {max_attempts} attempts. Raise max_attempts or the tolerance, or check the "
            "score there."
        )
    return replace(result, x=per_row(scale, result.x) * result.x, diverged=diverged)
