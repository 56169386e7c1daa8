"""What a run tells about each step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One step of a run.

    Parameters
    ----------
    step, max_steps
        Steps done, from 1, and steps in all as far as known.
    loss
        Mean loss of the batch; not finite where the batch was skipped for it.
    gradient_norm
        Euclidean norm of the gradient before clipping.
    learning_rate
        Of this step.
    rows_per_second
        Since the run was started or resumed, validations and checkpoints included.
    seconds
        Spent on the run so far, sessions before a resume included.
    validation, best_validation
        Of the averaged weights after this step, where it was validated; the lowest so far.
    skipped
        Batches skipped so far.
    level_losses
        Held-out loss of the averaged weights at each of some noise levels, as pairs (σ, loss),
        where it was validated.
    event
        What else happened: resumed, skipped, budget, checkpoint, stopped, finished.
    """

    step: int
    max_steps: int
    loss: float
    gradient_norm: float
    learning_rate: float
    rows_per_second: float
    seconds: float
    validation: float | None = None
    best_validation: float | None = None
    skipped: int = 0
    level_losses: tuple[tuple[float, float], ...] | None = None
    event: str | None = None
