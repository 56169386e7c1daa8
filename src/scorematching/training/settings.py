"""The settings of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorematching.errors import InvalidInput
from scorematching.training.precision import Precision

MEASURED_STEPS = 3


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a run, next to its module, loss and data.

    Parameters
    ----------
    max_steps
        Optimiser steps; fewer where time_limit or patience end the run.
    batch_size
        Rows a step; all rows where there are fewer.
    learning_rate, betas, weight_decay
        Of AdamW; biases and other parameters with fewer than two axes do not decay.
    warmup_steps
        Linear warm-up of the learning rate, before the cosine.
    clip_norm
        Largest Euclidean norm of the gradient; a longer one is shortened to it.
    average_half_life
        Half-life of the averaged weights, in steps.
    validate_every
        Steps between validations; None validates at the end only.
    patience
        Validations without improvement after which to stop; None never stops early.
    checkpoint_every
        Steps between checkpoints, where there is a folder.
    time_limit
        Seconds, turned into a number of steps during the warm-up; None for no limit.
    max_bad_batches
        Batches in a row with a non-finite loss or gradient after which to give up.
    seed
        Of data order, noise and dropout.
    precision
        Of matrix products and convolutions: `Precision.FULL` is the module's own, the others keep
        the weights in float32 and compute products in 16 bits.

    Raises
    ------
    InvalidInput
        A value is out of its range, or two clash.
    """

    max_steps: int
    batch_size: int = 256
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    warmup_steps: int = 100
    clip_norm: float = 5.0
    average_half_life: float = 200.0
    validate_every: int | None = None
    patience: int | None = None
    checkpoint_every: int = 500
    time_limit: float | None = None
    max_bad_batches: int = 20
    seed: int = 0
    precision: Precision = Precision.FULL

    def __post_init__(self) -> None:
        for name in ("max_steps", "batch_size", "checkpoint_every", "max_bad_batches"):
            _count(name, getattr(self, name), 1)
        for name in ("validate_every", "patience"):
            if getattr(self, name) is not None:
                _count(name, getattr(self, name), 1)
        _count("warmup_steps", self.warmup_steps, 0)
        _count("seed", self.seed, None)
        for name in ("learning_rate", "clip_norm", "average_half_life"):
            _positive(name, getattr(self, name))
        if self.time_limit is not None:
            _positive("time_limit", self.time_limit)
            if self.warmup_steps < MEASURED_STEPS:
                raise InvalidInput(
                    f"time_limit is measured during the warm-up: warmup_steps must be at least "
                    f"{MEASURED_STEPS}, got {self.warmup_steps}. Raise it, or use max_steps alone."
                )
        if not (_real(self.weight_decay) and self.weight_decay >= 0):
            raise InvalidInput(
                f"weight_decay must be a finite number of at least 0: got {self.weight_decay!r}."
            )
        if len(self.betas) != 2 or not all(_real(each) and 0 <= each < 1 for each in self.betas):
            raise InvalidInput(f"betas must be two numbers in [0, 1): got {self.betas!r}.")
        _known(self.precision)
        if self.patience is not None and self.validate_every is None:
            raise InvalidInput("patience counts validations: give validate_every as well.")


def _known(precision: object) -> None:
    if not isinstance(precision, Precision):
        known = ", ".join(f"Precision.{each.name}" for each in Precision)
        raise InvalidInput(f"precision must be one of {known}: got {precision!r}.")


def _count(name: str, value: object, least: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (least is not None and value < least):  # type: ignore[operator]
        kind = "an integer" if least is None else f"an integer of at least {least}"
        raise InvalidInput(f"{name} must be {kind}: got {value!r}.")


def _positive(name: str, value: object) -> None:
    if not (_real(value) and value > 0):  # type: ignore[operator]
        raise InvalidInput(f"{name} must be a positive and finite number: got {value!r}.")


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
