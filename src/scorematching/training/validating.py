"""Choosing the best weights: the averaged ones, by a number that the user's function gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from scorematching.errors import InvalidInput
from scorematching.random import forked
from scorematching.training.processes import Processes
from scorematching.training.run import Run
from scorematching.training.settings import TrainingSettings

PerLevel = tuple[tuple[float, float], ...]
Validate = Callable[[nn.Module], float]
LevelLosses = Callable[[nn.Module], PerLevel]


@dataclass(frozen=True)
class Validation:
    """What a run is validated by, if anything; see `training.train`."""

    validate: Validate | None
    level_losses: LevelLosses | None

    def check(self, settings: TrainingSettings) -> None:
        """Raise InvalidInput where a setting or function would have no effect."""
        if self.validate is None and settings.validate_every is not None:
            raise InvalidInput(
                "validate_every has no effect without validate: give both or neither."
            )
        if self.validate is None and self.level_losses is not None:
            raise InvalidInput("level_losses are taken at validations: give validate as well.")

    def due(self, run: Run, *, last: bool) -> bool:
        """Whether a run is to be validated after the step that it has just done."""
        every = run.settings.validate_every
        return self.validate is not None and (
            last or bool(every and run.counters.step % every == 0)
        )

    def measure(self, run: Run, processes: Processes) -> tuple[float, PerLevel | None]:
        """What the averaged weights come to: measured by process 0, known to all."""
        if processes.alone:
            return self._measure(run)
        text = processes.by_first(lambda: json.dumps(self._measure(run)).encode())
        value, levels = json.loads(text)
        return value, None if levels is None else tuple((s, loss) for s, loss in levels)

    def _measure(self, run: Run) -> tuple[float, PerLevel | None]:
        if self.validate is None:
            return math.nan, None
        run.averaged.eval()
        module = run.averaged.module
        # The same draws each time, so that chance does not pick the best weights.
        with forked(run.settings.seed, "validation"):
            value = float(self.validate(module))
            return value, None if self.level_losses is None else self.level_losses(module)


def keep_best(run: Run, value: float) -> None:
    """Remember the averaged weights if no validation was better, else count one more."""
    counters = run.counters
    best = counters.best_validation
    if math.isfinite(value) and (best is None or value < best):
        state = run.averaged.module.state_dict()
        run.best = {name: each.clone() for name, each in state.items()}
        counters.best_validation, counters.stale_validations = value, 0
    else:
        counters.stale_validations += 1
