"""How long a run has taken, and how many steps fit into a time limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter


class Clock:
    """Seconds of a run, those before a resume included, and the pace of its steps.

    The first step of a session is left out of the pace: it pays for warming up.
    """

    def __init__(self, earlier: float) -> None:
        self.earlier, self.steps = earlier, 0
        self._start = perf_counter()
        self._first_step = 0.0
        self._paused = 0.0

    def seconds(self) -> float:
        """Seconds of the whole run."""
        return self.earlier + self.session()

    def session(self) -> float:
        """Seconds since the run was started or resumed."""
        return perf_counter() - self._start

    def step_done(self) -> None:
        """Count a step; call it once after each."""
        self.steps += 1
        if self.steps == 1:
            self._first_step = self.session() - self._paused

    def step_cost(self) -> float:
        """Mean seconds of a step and of whoever reads its record, pauses left out."""
        stepping = self.session() - self._paused
        if self.steps < 2:
            return stepping / max(1, self.steps)
        return (stepping - self._first_step) / (self.steps - 1)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave what happens inside out of the pace of the steps."""
        began = perf_counter()
        yield
        self._paused += perf_counter() - began


@dataclass(frozen=True)
class Costs:
    """Measured seconds: of a step, of a validation, of a checkpoint (0 where there is none)."""

    step: float
    validation: float = 0.0
    checkpoint: float = 0.0


def step_budget(
    costs: Costs,
    *,
    time_limit: float,
    elapsed: float,
    step: int,
    max_steps: int,
    validate_every: int | None,
    checkpoint_every: int,
) -> int:
    """Steps in all that end within the time limit, at least those done and at most max_steps.

    K = k + ⌊(T − t − v − c) / (s + v/n_v + c/n_c)⌋ after k steps and t of T seconds, where s, v, c
    are the costs of a step, a validation and a checkpoint, made every n_v and n_c steps and once
    more at the end.
    """
    every = costs.step + costs.checkpoint / checkpoint_every
    if validate_every is not None:
        every += costs.validation / validate_every
    left = time_limit - elapsed - costs.validation - costs.checkpoint
    return min(max_steps, step + max(0, int(left / every)))
