"""The reverse SDE with steps that each row chooses for itself, on one path of the noise.

A. Jolicoeur-Martineau et al., "Gotta go fast when generating data with score-based models" (2021)
give the step and its error. They draw new noise after a rejection, which favours noise that is
easy to follow; here a rejected step is halved, and the noise in its middle is drawn given that at
its end, as in J. G. Gaines & T. J. Lyons, "Variable step size control in the numerical solution of
stochastic differential equations", SIAM Journal on Applied Mathematics 57 (1997).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from scorematching.hutchinson import check_count
from scorematching.noise import Process
from scorematching.samplers.adaptive import Tolerance, landed
from scorematching.samplers.diffusion import Diffusion, denoise_at
from scorematching.samplers.embedded import radius
from scorematching.samplers.grids import Grid, LogUniformGrid
from scorematching.samplers.improved_euler import both
from scorematching.samplers.walk import Noise, Progress, Walk, drawn, rows_of, walk
from scorematching.shapes import per_row
from scorematching.typing import NoisyScore

EASY = 0.25  # of what is allowed: below it the next piece is twice as long


class Bisecting(NamedTuple):
    """Rows on their own ways through halves of halves of the steps of a grid.

    A piece of depth k is 2^{−k} of a step of the grid; places within a step count in the smallest
    pieces, of depth K.

    Attributes
    ----------
    x
        The unscaled rows y = x_t/α.
    interval, place
        The step of the grid that a row is in, and where in it, ``(n,)``.
    depth
        Of the piece to attempt next, ``(n,)``.
    increment
        The noise of that piece, like x; of the piece twice as long, where it is to be split.
    split, fresh
        ``(n,)``: whether the increment is to be split, and whether there is none yet.
    waiting
        The noise of the second halves that follow, by their depth, ``(K + 1, n, *event)``.
    known
        Which of them there are, ``(K + 1, n)``.
    """

    x: Tensor
    interval: Tensor
    place: Tensor
    depth: Tensor
    increment: Tensor
    split: Tensor
    fresh: Tensor
    waiting: Tensor
    known: Tensor


@dataclass(frozen=True)
class AdaptiveImprovedEuler:
    """One attempt of each row: a piece of a step of the grid, taken if its error is tolerated.

    The error is that between the Euler and the improved step, u′ and u″. After a rejection the
    piece is halved; after a success the next is as long, or twice as long if the error was below a
    quarter of what is allowed, where the halves allow. Noise once drawn is kept. The times are not
    used: a row keeps its own.
    """

    diffusion: Diffusion
    log_levels: Tensor
    tolerance: Tolerance
    max_depth: int

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 2
    draws: ClassVar[int] = 1

    def init(self, x: Tensor) -> Bisecting:
        count = torch.zeros(len(x), dtype=torch.long, device=x.device)
        no = torch.zeros_like(count, dtype=torch.bool)
        waiting = x.new_zeros(self.max_depth + 1, *x.shape)
        known = no.expand(self.max_depth + 1, len(x))
        return Bisecting(x, count, count, count, torch.zeros_like(x), no, ~no, waiting, known)

    def arrived(self, state: Bisecting) -> Tensor:
        """The rows that are at the end, ``(n,)``."""
        return state.interval >= len(self.log_levels) - 1

    def log_level(self, interval: Tensor, place: Tensor) -> Tensor:
        """ln σ at a place in a step of the grid, between whose ends it is linear."""
        last = len(self.log_levels) - 1
        fraction = place.double() / 2**self.max_depth
        start = self.log_levels[interval.clamp(max=last)]
        return torch.lerp(start, self.log_levels[(interval + 1).clamp(max=last)], fraction)

    def __call__(self, state: Bisecting, t: Tensor, t_next: Tensor, z: Tensor | None) -> Bisecting:
        arrived, rows = self.arrived(state), torch.arange(len(state.x), device=state.x.device)
        size = 2 ** (self.max_depth - state.depth)
        ends = (self.log_level(state.interval, state.place + i * size) for i in range(3))
        here, there, beyond = ends
        clock, later, latest = ((-2 * each).exp() for each in (here, there, beyond))
        increment, rest = noise_of(state, drawn(z), clock, later, latest)
        waiting, known = state.waiting.clone(), state.known.clone()
        cut = rows[state.split]
        waiting[state.depth[cut], cut] = rest[cut]
        known[state.depth[cut], cut] = True

        t, t_next = self.diffusion.process.time_of(torch.stack([here, there]).exp())
        euler, improved = both(self.diffusion, state.x, (clock, later), (t, t_next), increment)
        rho, rho_next = per_row(radius(here), euler), per_row(radius(there), euler)
        ratio = self.tolerance.ratio(
            (improved - euler) / rho_next, state.x / rho, improved / rho_next
        )
        taken = (ratio <= 1) & ~arrived
        refused = ~taken & ~arrived
        lost = refused & (state.depth == self.max_depth)
        x = torch.where(rows_of(taken, euler), improved, state.x)

        place = torch.where(taken, state.place + size, state.place)
        interval = state.interval + (place >> self.max_depth)
        place = place & (2**self.max_depth - 1)
        # The piece that begins here is a second half of depth `half`, or a whole step of the grid.
        half = self.max_depth - torch.log2((place & -place).double()).clamp(min=0).long()
        half = torch.where(place == 0, 0, half)
        given = taken & known[half, rows]
        wished = torch.where(ratio < EASY, state.depth - 1, state.depth)
        depth = torch.where(given, half, torch.maximum(half, wished))
        depth = torch.where(taken, depth, state.depth + refused.long()).clamp(max=self.max_depth)
        next_up = torch.where(rows_of(given, x), waiting[half, rows], increment)
        used = rows[given]
        known[half[used], used] = False
        return Bisecting(
            torch.where(rows_of(lost, x), torch.nan, x),
            interval,
            place,
            depth,
            next_up,
            refused,
            taken & ~given,
            waiting,
            known,
        )


def noise_of(
    state: Bisecting, z: Tensor, clock: Tensor, later: Tensor, latest: Tensor
) -> tuple[Tensor, Tensor]:
    """The noise of the pieces from the clock to the later one, and to the latest if they are split.

    New noise is N(0, Δ); in the middle of a piece with the noise B and clocks c < c′ < c″ it is
    N(B (c′ − c)/(c″ − c), (c′ − c)(c″ − c′)/(c″ − c)), a Brownian bridge.
    """
    part = (later - clock) / (latest - clock)
    deviation = (part * (latest - later)).sqrt()
    bridge = per_row(part, z) * state.increment + per_row(deviation, z) * z
    new = per_row((later - clock).sqrt(), z) * z
    unsplit = torch.where(rows_of(state.fresh, z), new, state.increment)
    noise = torch.where(rows_of(state.split, z), bridge, unsplit)
    return noise, state.increment - noise


def adaptive_sde(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    grid: Grid | None = None,
    *,
    tolerance: Tolerance | None = None,
    max_depth: int = 10,
    max_attempts: int = 1000,
    final_denoise: bool = True,
    generator: torch.Generator | None = None,
    noise: Noise | None = None,
    callback: Callable[[Progress], None] | None = None,
) -> Walk:
    """Run the reverse SDE with steps that keep each row's error within a tolerance.

    Parameters
    ----------
    grid
        The longest steps, which are halved where a row needs it; ``LogUniformGrid(16)`` by default.
    tolerance
        ``Tolerance(0.02, 0.02)`` by default, an error a step.
    max_depth
        How often a step may be halved; a row that asks for more is flagged as diverged.
    max_attempts
        A row that has not arrived after so many is flagged as diverged and left where it was.
    callback
        As in `walk`: x are the unscaled rows x_t/α, and the attempts count as the time.
    noisy_score, process, x, final_denoise, generator, noise
        As in `run_backwards`; one draw an attempt.

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
    check_count(max_depth, "max_depth")
    diffusion = Diffusion(noisy_score, process)
    times = (grid or LogUniformGrid(16))(process)
    levels = process.noise_level(times).log().to(x.device)
    step = AdaptiveImprovedEuler(diffusion, levels, tolerance or Tolerance(0.02, 0.02), max_depth)
    result = walk(
        step,
        x / diffusion.scales(times[0])[0],
        torch.arange(max_attempts + 1, dtype=torch.float64),
        generator=generator,
        noise=noise,
        callback=callback,
        until=step.arrived,
    )
    state = result.state
    assert isinstance(state, Bisecting)
    level = step.log_level(state.interval, state.place).exp()
    scale = process.alpha(process.time_of(level))
    result = landed(result, step.arrived(state), scale, max_attempts)
    return denoise_at(result, diffusion, times[-1]) if final_denoise else result
