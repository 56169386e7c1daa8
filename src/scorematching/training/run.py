"""A run in progress: what a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from scorematching.training.averaging import Averaged
from scorematching.training.settings import TrainingSettings


@dataclass
class Counters:
    """How far a run is; changed in place by the loop, once a step."""

    step: int = 0
    budget: int | None = None
    seconds: float = 0.0
    best_validation: float | None = None
    stale_validations: int = 0
    bad_in_a_row: int = 0
    skipped: int = 0
    finished: bool = False
    loss_scale: float = 1.0
    good_steps: int = 0


@dataclass
class Run:
    """A run in progress: what it trains, with what, and how far it is."""

    settings: TrainingSettings
    module: nn.Module
    averaged: Averaged
    optimizer: torch.optim.Optimizer
    counters: Counters = field(default_factory=Counters)
    best: dict[str, Tensor] | None = None

    @property
    def steps_in_all(self) -> int:
        """Steps of the whole run, as far as known: the time limit settles it in the warm-up."""
        budget = self.counters.budget
        return self.settings.max_steps if budget is None else budget

    def result(self) -> dict[str, Tensor]:
        """State of the averaged weights with the best validation, or of the newest ones."""
        return self.averaged.module.state_dict() if self.best is None else self.best
