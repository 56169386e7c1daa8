"""The one sampling loop: `walk` owns the times, the noise, the record and the divergent chains.

A step is a pure function of (state, t, t_next, z). It knows nothing of the loop, and the loop
knows nothing of what the step computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self, TypeVar

import torch
from torch import Tensor

from scorematching.errors import Diverged, InvalidInput
from scorematching.hutchinson import check_count
from scorematching.random import fresh, normal
from scorematching.shapes import check_rows


class State(Protocol):
    """What a step carries from one time to the next: a named tuple with x and any memory."""

    @property
    def x(self) -> Tensor: ...

    def _replace(self, *, x: Tensor) -> Self: ...


S = TypeVar("S", bound=State)


class Step(Protocol[S]):
    """One step of a walk; anything with these members is one, nothing has to be subclassed."""

    @property
    def order(self) -> int:
        """The global order of convergence in the step size (the weak order if it is noisy)."""

    @property
    def evaluations(self) -> int:
        """Calls of the score in one step."""

    @property
    def draws(self) -> int:
        """How many draws of noise a step takes, z ~ N(0, I) like x; 0 if it is deterministic."""

    def init(self, x: Tensor, /) -> S:
        """The state before the first step."""

    def __call__(self, state: S, t: Tensor, t_next: Tensor, z: Tensor | None, /) -> S:
        """The state at t_next; t and t_next are ``()`` in float64, whatever the dtype of x.

        z is None for a step without noise, like x for one draw, ``(draws, *x.shape)`` for more.
        """


class Noise(Protocol):
    """A source of noise in place of a generator: the number of the draw and x → z like x.

    Draws are counted through the whole walk: step i of a step with one draw takes draw i.
    """

    def __call__(self, index: int, x: Tensor, /) -> Tensor: ...


class Progress(NamedTuple):
    """What a callback is told after each step."""

    done: int
    total: int
    t: float
    x: Tensor
    diverged: Tensor


class OnlyX(NamedTuple):
    """The state of a step without memory."""

    x: Tensor


@dataclass(frozen=True)
class Walk:
    """Where a walk ended.

    Attributes
    ----------
    x
        ``(n, *event)``, always finite: a chain that diverged keeps its last finite value.
    n_evaluations
        Calls of the score made for each row.
    diverged
        ``(n,)``, True for the chains that became non-finite, or that did not come to their end in
        an adaptive walk.
    trajectory
        ``(1 + n_steps // record_every, n, *event)``: x at the start and after every
        record_every steps; None unless it was asked for.
    state
        The last state of the step, with all that it carries beside x.
    """

    x: Tensor
    n_evaluations: int
    diverged: Tensor
    trajectory: Tensor | None = None
    state: State | None = field(default=None, repr=False)

    @property
    def divergent_fraction(self) -> float:
        """The fraction of the chains that diverged; report it with anything computed from x."""
        return self.diverged.double().mean().item()


def walk(
    step: Step[S],
    x: Tensor,
    grid: Tensor,
    *,
    generator: torch.Generator | None = None,
    callback: Callable[[Progress], None] | None = None,
    record_every: int | None = None,
    noise: Noise | None = None,
    until: Callable[[S], Tensor] | None = None,
) -> Walk:
    """Take one step for each pair of neighbouring times of the grid.

    Parameters
    ----------
    step
        What happens between two times.
    x
        The rows to start from, ``(n, *event)``, finite.
    grid
        ``(n_steps + 1,)``, finite and monotone; used in float64.
    generator
        The source of the noise, for a step that takes any; without one, fresh entropy.
    callback
        Called with a `Progress` after each step.
    record_every
        Keep x after every so many steps, and the start.
    noise
        Noise to use instead of drawing it, for a step that takes any.
    until
        Which rows have arrived, ``(n,)``, for a step that keeps times of its own: the walk ends
        before the grid does once every row has arrived or diverged.

    Raises
    ------
    InvalidInput
        x or the grid are unusable, or noise was given to a step that takes none.
    Diverged
        Every chain became non-finite.

    No graph is kept. Scores that differentiate inside themselves work all the same.
    """
    times = _checked_times(grid)
    _check_start(x)
    _check_noise(step.draws, generator, noise)
    if record_every is not None:
        check_count(record_every, "record_every")
    total = len(times) - 1
    source = _Source(noise or _Draws(generator or fresh(x.device)), step.draws)
    taken = total
    with torch.no_grad():
        state = step.init(x)
        diverged = torch.zeros(x.shape[0], dtype=torch.bool, device=x.device)
        kept = [x] if record_every is not None else []
        for i in range(total):
            after = step(state, times[i], times[i + 1], source(i, state.x))
            held, diverged = freeze(state.x, after.x, diverged)
            if bool(diverged.all()):
                raise Diverged(
                    f"all {len(diverged)} chains became non-finite by step {i + 1} of {total}, "
                    f"t = {times[i + 1].item():g}. Take smaller steps, or check the score there."
                )
            state = after._replace(x=held)
            if record_every is not None and (i + 1) % record_every == 0:
                kept.append(held)
            if callback is not None:
                callback(Progress(i + 1, total, times[i + 1].item(), held, diverged))
            if until is not None and bool((until(state) | diverged).all()):
                taken = i + 1
                break
    trajectory = torch.stack(kept) if record_every is not None else None
    return Walk(state.x, taken * step.evaluations, diverged, trajectory, state)


def freeze(before: Tensor, after: Tensor, diverged: Tensor) -> tuple[Tensor, Tensor]:
    """`after`, but `before` for the rows that have diverged by now; and which those are."""
    finite = torch.isfinite(after).reshape(len(after), -1).all(1)
    diverged = diverged | ~finite
    return torch.where(rows_of(diverged, after), before, after), diverged


def rows_of(flag: Tensor, x: Tensor) -> Tensor:
    """A flag a row, ``(n,)``, in a shape that broadcasts against x."""
    return flag.reshape(-1, *(1,) * (x.ndim - 1))


def drawn(z: Tensor | None) -> Tensor:
    """The noise of a step that takes any.

    Raises
    ------
    InvalidInput
        It is None.
    """
    if z is None:
        raise InvalidInput("this step needs noise z ~ N(0, I), like x: got None.")
    return z


@dataclass(frozen=True)
class _Source:
    """The noise of step i: nothing, one draw like x, or several stacked."""

    noise: Noise
    draws: int

    def __call__(self, index: int, x: Tensor) -> Tensor | None:
        if self.draws < 2:
            return self.noise(index, x) if self.draws else None
        first = index * self.draws
        return torch.stack([self.noise(first + j, x) for j in range(self.draws)])


@dataclass(frozen=True)
class _Draws:
    generator: torch.Generator

    def __call__(self, index: int, x: Tensor) -> Tensor:
        return normal(tuple(x.shape), x, self.generator)


def _check_start(x: Tensor) -> None:
    if not len(check_rows(x)):
        raise InvalidInput(f"x must have at least one row: got shape {tuple(x.shape)}.")
    bad = ~torch.isfinite(x).reshape(len(x), -1).all(1)
    if bool(bad.any()):
        raise InvalidInput(
            f"x must be finite: got {int(bad.sum())} non-finite rows of {len(x)}, the first is "
            f"row {int(bad.nonzero()[0])}."
        )


def _checked_times(grid: Tensor) -> Tensor:
    times = torch.as_tensor(grid, dtype=torch.float64, device="cpu")
    steps = times.diff() if times.ndim == 1 else times
    monotone = bool((steps >= 0).all()) or bool((steps <= 0).all())
    if times.ndim != 1 or len(times) < 2 or not torch.isfinite(times).all() or not monotone:
        raise InvalidInput(
            "a grid must hold at least two finite times that only fall or only grow, shape "
            f"(n_steps + 1,): got shape {tuple(times.shape)}."
        )
    return times


def _check_noise(draws: int, generator: torch.Generator | None, noise: Noise | None) -> None:
    if not draws and (generator is not None or noise is not None):
        raise InvalidInput("this step takes no noise: leave out generator= and noise=.")
    if generator is not None and noise is not None:
        raise InvalidInput("the noise is either drawn or given: pass generator= or noise=.")
