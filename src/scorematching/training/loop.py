"""The training loop: a generator of records, whose every random draw is a function of its step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from scorematching.errors import InvalidInput, TrainingFailed
from scorematching.random import forked
from scorematching.storage import has_snapshot, run_lock, sweep
from scorematching.training.averaging import averaged_copy
from scorematching.training.budget import Clock, Costs, step_budget
from scorematching.training.checkpoint import Run, data_hash, load_run, save_run
from scorematching.training.interrupt import Interrupted, Interrupts
from scorematching.training.order import DataOrder, row_count
from scorematching.training.records import Record
from scorematching.training.settings import MEASURED_STEPS, TrainingSettings
from scorematching.training.step import Loss, Outcome, adamw, take_step

Validate = Callable[[nn.Module], float]
LevelLosses = Callable[[nn.Module], tuple[tuple[float, float], ...]]
MEASURED_SHARE = 0.1  # of the time limit, if the warm-up does not end before


def train(
    module: nn.Module,
    loss: Loss,
    rows: tuple[Tensor, ...],
    settings: TrainingSettings,
    *,
    validate: Validate | None = None,
    level_losses: LevelLosses | None = None,
    folder: Path | None = None,
    resume: bool = False,
    interrupts: Interrupts | None = None,
) -> Iterator[Record]:
    """Train a module by AdamW, one record a step; afterwards it holds the averaged weights.

    Every random draw is a function of (seed, purpose, step), so that a run that is stopped and
    resumed equals, bit for bit on the CPU with the same number of threads, the run that was never
    stopped. A ``time_limit`` is turned into a number of steps during the warm-up, which does not
    depend on it, and saved. When the generator ends, or is closed early, module is in evaluation
    mode and holds the averaged weights with the best validation, or the newest ones without one.

    Parameters
    ----------
    module
        Trained in place, on the device it is on.
    loss
        ``loss(module, batch, generator)`` → per-row losses ``(B,)``; their mean is minimised.
        batch holds the rows of this step, one tensor for each in rows. It keeps nothing from
        step to step, and draws from nothing but the generator (dropout is seeded as well).
    rows
        Tensors of n rows each, ``(n, …)``.
    settings
        See `TrainingSettings`.
    validate
        ``validate(averaged_module)`` → a number, lower is better; deterministic. Called in
        evaluation mode; the parameters ask for no gradients.
    level_losses
        ``level_losses(averaged_module)`` → pairs (σ, held-out loss), for the record of each
        validation; called as validate is, and without a say in which weights are kept.
    folder
        Where to keep checkpoints; None keeps none. One run a folder.
    resume
        Go on from the checkpoint in folder. A finished run yields nothing and loads its result.
    interrupts
        Stops the run after the step in which it received a signal.

    Raises
    ------
    InvalidInput
        An argument is unusable; folder already holds a run and resume is false, or holds none and
        resume is true; settings, module or data differ from those of the run to resume.
    RunLocked
        Another live process trains in folder.
    CorruptCheckpoint
        No checkpoint in folder is good. A RuntimeWarning says where an older one was used.
    TrainingFailed
        max_bad_batches in a row, or all batches, had a non-finite loss or gradient; the last
        checkpoint is kept.
    Interrupted
        A signal arrived; the checkpoint is of the last step that was yielded.
    OSError
        A checkpoint could not be written; the one before is kept.
    """
    order = DataOrder(settings.seed, row_count(rows), settings.batch_size)
    if validate is None and settings.validate_every is not None:
        raise InvalidInput("validate_every has no effect without validate: give both or neither.")
    if validate is None and level_losses is not None:
        raise InvalidInput("level_losses are taken at validations: give validate as well.")
    if resume and folder is None:
        raise InvalidInput("resume needs the folder of the run to go on with.")
    averaged = averaged_copy(module, settings.average_half_life)
    run = Run(settings, module, averaged, adamw(module, settings))
    session = _Session(run, loss, rows, order, validate, level_losses, folder, interrupts)
    return session.records(resume)


@dataclass
class _Session:
    """One stretch of a run, from its start or resumption to its end or interruption."""

    run: Run
    loss: Loss
    rows: tuple[Tensor, ...]
    order: DataOrder
    validate: Validate | None
    level_losses: LevelLosses | None
    folder: Path | None
    interrupts: Interrupts | None
    data: str = ""

    def records(self, resume: bool) -> Iterator[Record]:
        with nullcontext() if self.folder is None else run_lock(self.folder):
            event = None if self.folder is None else self._open(self.folder, resume)
            try:
                yield from self._steps(event)
            finally:
                self.run.module.load_state_dict(self.run.result())
                self.run.module.eval()

    def _open(self, folder: Path, resume: bool) -> str | None:
        sweep(folder)
        self.data = data_hash(self.rows)
        if resume:
            for text in load_run(self.run, folder, self.data):
                warnings.warn(text, RuntimeWarning, stacklevel=3)
            return f"resumed after step {self.run.counters.step}"
        if has_snapshot(folder):
            raise InvalidInput(
                f"{folder} already holds a run: resume it, or choose another folder."
            )
        return None

    def _steps(self, event: str | None) -> Iterator[Record]:
        counters, settings = self.run.counters, self.run.settings
        clock = Clock(counters.seconds)
        signum = None
        while not counters.finished:
            events = [event] if event else []
            event = None
            outcome = take_step(self.run, self.loss, self.rows, self.order(counters.step))
            self._count(outcome, events)
            clock.step_done()
            settled = self._settle_budget(clock, events)
            last = counters.step >= self.run.steps_in_all
            validation, level_losses = self._validate_if_due(last, clock, events)
            failed = counters.bad_in_a_row >= settings.max_bad_batches
            counters.finished = (last or self._patience_is_out(events)) and not failed
            counters.seconds = clock.seconds()
            # Read once: a signal that arrives from here on is the next step's, which saves too.
            signum = self.interrupts.signum if self.interrupts else None
            due = settled or counters.finished or counters.step % settings.checkpoint_every == 0
            if self.folder is not None and not failed and (due or signum is not None):
                with clock.pause():
                    save_run(self.run, self.folder, self.data)
                events.append("checkpoint")
            yield Record(
                counters.step,
                self.run.steps_in_all,
                outcome.loss,
                outcome.gradient_norm,
                outcome.learning_rate,
                self.order.batch_size * clock.steps / clock.session(),
                clock.seconds(),
                validation,
                counters.best_validation,
                counters.skipped,
                level_losses,
                "; ".join(events) or None,
            )
            if failed:
                raise TrainingFailed(
                    f"{counters.bad_in_a_row} batches in a row were not finite, up to step "
                    f"{counters.step}: {outcome.problem}. Look at those rows, or lower the "
                    f"learning rate (now {outcome.learning_rate:.3g})."
                )
            if signum is not None:
                self._stop(signum)
        if self.run.averaged.n_averaged == 0:
            raise TrainingFailed(f"none of the {counters.step} batches had a finite loss.")
        if self.interrupts and self.interrupts.signum is not None:
            self._stop(self.interrupts.signum)

    def _count(self, outcome: Outcome, events: list[str]) -> None:
        counters = self.run.counters
        counters.step += 1
        if outcome.problem is None:
            counters.bad_in_a_row = 0
            return
        counters.bad_in_a_row += 1
        counters.skipped += 1
        events.append(f"skipped: {outcome.problem}")

    def _settle_budget(self, clock: Clock, events: list[str]) -> bool:
        """Turn the time limit into a number of steps, once, before the warm-up ends."""
        counters, settings = self.run.counters, self.run.settings
        if settings.time_limit is None or counters.budget is not None:
            return False
        long_enough = clock.session() >= MEASURED_SHARE * settings.time_limit
        measured = long_enough and clock.steps >= MEASURED_STEPS
        if not measured and counters.step < min(settings.warmup_steps, settings.max_steps):
            return False
        step = clock.step_cost()
        before = clock.session()
        if self.validate is not None:
            self._validation(self.validate)
        between = clock.session()
        if self.folder is not None:
            save_run(self.run, self.folder, self.data)
        after = clock.session()
        counters.budget = step_budget(
            Costs(step, between - before, after - between),
            time_limit=settings.time_limit,
            elapsed=clock.seconds(),
            step=counters.step,
            max_steps=settings.max_steps,
            validate_every=settings.validate_every,
            checkpoint_every=settings.checkpoint_every,
        )
        events.append(f"budget: {counters.budget} steps")
        return True

    def _validate_if_due(
        self, last: bool, clock: Clock, events: list[str]
    ) -> tuple[float | None, tuple[tuple[float, float], ...] | None]:
        counters, every = self.run.counters, self.run.settings.validate_every
        if self.validate is None or not (last or (every and counters.step % every == 0)):
            return None, None
        with clock.pause():
            value, level_losses = self._validation(self.validate)
        if not math.isfinite(value):
            events.append("validation is not finite")
        best = counters.best_validation
        if math.isfinite(value) and (best is None or value < best):
            state = self.run.averaged.module.state_dict()
            self.run.best = {name: each.clone() for name, each in state.items()}
            counters.best_validation, counters.stale_validations = value, 0
        else:
            counters.stale_validations += 1
        return value, level_losses

    def _validation(
        self, validate: Validate
    ) -> tuple[float, tuple[tuple[float, float], ...] | None]:
        self.run.averaged.eval()
        module = self.run.averaged.module
        # The same draws each time, so that chance does not pick the best weights.
        with forked(self.run.settings.seed, "validation"):
            value = float(validate(module))
            return value, None if self.level_losses is None else self.level_losses(module)

    def _patience_is_out(self, events: list[str]) -> bool:
        patience, stale = self.run.settings.patience, self.run.counters.stale_validations
        if patience is None or stale < patience:
            return False
        events.append(f"stopped: {stale} validations without improvement")
        return True

    def _stop(self, signum: int) -> None:
        step = self.run.counters.step
        saved = f"saved in {self.folder}" if self.folder else "not saved, as no folder was given"
        raise Interrupted(signum, f"stopped by signal {signum} after step {step}: {saved}.")
