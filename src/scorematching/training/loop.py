"""The training loop: a generator of records, whose every random draw is a function of its step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from scorematching.errors import InvalidInput, TrainingFailed
from scorematching.training.averaging import averaged_copy
from scorematching.training.batches import Batches, InMemory
from scorematching.training.budget import Clock, Costs, step_budget
from scorematching.training.interrupt import Interrupted, Interrupts
from scorematching.training.keeping import Keeper
from scorematching.training.order import DataOrder, row_count
from scorematching.training.precision import check_precision
from scorematching.training.processes import ALONE, Processes
from scorematching.training.records import Record
from scorematching.training.run import Counters, Run
from scorematching.training.settings import MEASURED_STEPS, TrainingSettings
from scorematching.training.sharing import Sharing, shared
from scorematching.training.step import Loss, Outcome, adamw, take_step
from scorematching.training.streamed import RowGroups, Streamed
from scorematching.training.validating import (
    LevelLosses,
    PerLevel,
    Validate,
    Validation,
    keep_best,
)

MEASURED_SHARE = 0.1  # of the time limit, if the warm-up does not end before


def train(
    module: nn.Module,
    loss: Loss,
    rows: tuple[Tensor, ...] | RowGroups,
    settings: TrainingSettings,
    *,
    validate: Validate | None = None,
    level_losses: LevelLosses | None = None,
    folder: Path | None = None,
    resume: bool = False,
    interrupts: Interrupts | None = None,
    processes: Processes = ALONE,
) -> Iterator[Record]:
    """Train a module by AdamW, one record a step; afterwards it holds the averaged weights.

    Every random draw is a function of (seed, purpose, step), so that a run that is stopped and
    resumed equals, bit for bit on the CPU with the same number of threads, the run that was never
    stopped. A ``time_limit`` is turned into a number of steps during the warm-up, which does not
    depend on it, and saved. When the generator ends, or is closed early, module is in evaluation
    mode and holds the averaged weights with the best validation, or the newest ones without one.

    Several processes that train together are, up to rounding, the run in one: each evaluates the
    module on its share of every batch, noise and dropout are those of the whole batch, and process
    0 alone validates and writes.

    Parameters
    ----------
    module
        Trained in place, on the device it is on.
    loss
        ``loss(module, batch, generator)`` → per-row losses ``(B,)``; their mean is minimised.
        batch holds the rows of this step, one tensor for each in rows. It keeps nothing from
        step to step, and draws from nothing but the generator (dropout is seeded as well). Where
        processes share a batch, what the module is called with is per row if it has B rows.
    rows
        Tensors of n rows each, ``(n, …)``; or groups of rows that are read as they are needed.
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
        Stops the run after the step in which it received a signal, in any of the processes.
    processes
        Those that train together, as `processes.joined` gives them; this one alone by default.

    Raises
    ------
    InvalidInput
        An argument is unusable; folder already holds a run and resume is false, or holds none and
        resume is true; settings, module or data differ from those of the run to resume, or among
        the processes; the precision is not possible; the batch or module cannot be shared.
    RunLocked
        Another live process trains in folder.
    CorruptCheckpoint
        No checkpoint in folder is good. A RuntimeWarning says where an older one was used.
    TrainingFailed
        max_bad_batches in a row, or all batches, had a non-finite loss or gradient; the last
        checkpoint is kept. Or process 0 failed, and this is another.
    Interrupted
        A signal arrived; the checkpoint is of the last step that was yielded.
    OSError
        A checkpoint could not be written; the one before is kept.
    """
    batches: Batches
    if isinstance(rows, tuple):
        order = DataOrder(settings.seed, row_count(rows), settings.batch_size)
        batches = InMemory(rows, order)
    else:
        batches = Streamed(rows, settings.seed, settings.batch_size)
    validation = Validation(validate, level_losses)
    validation.check(settings)
    if resume and folder is None:
        raise InvalidInput("resume needs the folder of the run to go on with.")
    optimizer = adamw(module, settings)
    check_precision(settings.precision, module)
    averaged = averaged_copy(module, settings.average_half_life)
    counters = Counters(loss_scale=settings.precision.first_scale)
    run = Run(settings, module, averaged, optimizer, counters)
    keeper = Keeper(run, batches, folder, processes)
    return _Session(run, loss, batches, validation, keeper, interrupts).records(resume)


@dataclass
class _Session:
    """One stretch of a run, from its start or resumption to its end or interruption."""

    run: Run
    loss: Loss
    batches: Batches
    validation: Validation
    keeper: Keeper
    interrupts: Interrupts | None

    @property
    def processes(self) -> Processes:
        return self.keeper.processes

    def records(self, resume: bool) -> Iterator[Record]:
        with self.keeper.opened(resume) as event:
            try:
                with shared(self.run.module, self.processes) as sharing:
                    yield from self._steps(event, sharing)
            finally:
                self.run.module.load_state_dict(self.run.result())
                self.run.module.eval()

    def _steps(self, event: str | None, sharing: Sharing) -> Iterator[Record]:
        counters, settings = self.run.counters, self.run.settings
        clock = Clock(counters.seconds)
        while not counters.finished:
            events = [event] if event else []
            event = None
            batch, numbers = self.batches(counters.step)
            outcome = take_step(self.run, self.loss, batch, numbers, sharing)
            self._count(outcome, events)
            clock.step_done()
            settled = self._settle_budget(clock, events)
            last = counters.step >= self.run.steps_in_all
            validation, level_losses = self._validate_if_due(last, clock, events)
            failed = counters.bad_in_a_row >= settings.max_bad_batches
            counters.finished = (last or self._patience_is_out(events)) and not failed
            counters.seconds = clock.seconds()
            # Read once: a signal that arrives from here on is the next step's, which saves too.
            signum = self._signal()
            due = settled or counters.finished or counters.step % settings.checkpoint_every == 0
            if not failed and (due or signum is not None):
                with clock.pause():
                    saved = self.keeper.save()
                events += ["checkpoint"] if saved else []
            yield Record(
                counters.step,
                self.run.steps_in_all,
                outcome.loss,
                outcome.gradient_norm,
                outcome.learning_rate,
                self.batches.batch_size * clock.steps / clock.session(),
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
        if (signum := self._signal()) is not None:
            self._stop(signum)

    def _signal(self) -> int | None:
        """The signal that has arrived, at whichever process: all stop at the same step."""
        signum = self.interrupts.signum if self.interrupts else None
        return self.processes.largest([signum or 0])[0] or None

    def _count(self, outcome: Outcome, events: list[str]) -> None:
        counters = self.run.counters
        counters.step += 1
        if outcome.overflow:
            counters.skipped += 1
            events.append(
                "skipped: the gradient overflowed 16 bits, loss scale lowered to "
                f"{counters.loss_scale:g}"
            )
            return
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
        ready = measured or counters.step >= min(settings.warmup_steps, settings.max_steps)
        if not self.processes.largest([ready])[0]:
            return False
        step = clock.step_cost()
        before = clock.session()
        if self.validation.validate is not None:
            self.validation.measure(self.run, self.processes)
        between = clock.session()
        self.keeper.save()
        after = clock.session()
        budget = step_budget(
            Costs(step, between - before, after - between),
            time_limit=settings.time_limit,
            elapsed=clock.seconds(),
            step=counters.step,
            max_steps=settings.max_steps,
            validate_every=settings.validate_every,
            checkpoint_every=settings.checkpoint_every,
        )
        counters.budget = int(self.processes.of_first(b"%d" % budget))
        events.append(f"budget: {counters.budget} steps")
        return True

    def _validate_if_due(
        self, last: bool, clock: Clock, events: list[str]
    ) -> tuple[float | None, PerLevel | None]:
        if not self.validation.due(self.run, last=last):
            return None, None
        with clock.pause():
            value, level_losses = self.validation.measure(self.run, self.processes)
        if not math.isfinite(value):
            events.append("validation is not finite")
        keep_best(self.run, value)
        return value, level_losses

    def _patience_is_out(self, events: list[str]) -> bool:
        patience, stale = self.run.settings.patience, self.run.counters.stale_validations
        if patience is None or stale < patience:
            return False
        events.append(f"stopped: {stale} validations without improvement")
        return True

    def _stop(self, signum: int) -> None:
        step, folder = self.run.counters.step, self.keeper.folder
        saved = f"saved in {folder}" if folder else "not saved, as no folder was given"
        raise Interrupted(signum, f"stopped by signal {signum} after step {step}: {saved}.")
