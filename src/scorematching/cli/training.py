"""Training as planned, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorematching import fitting
from scorematching.cli import runs
from scorematching.cli.plan import Plan
from scorematching.cli.session import Messages
from scorematching.cli.settings import write_settings
from scorematching.errors import Diverged
from scorematching.training import Interrupted, Interrupts, Record
from scorematching.training.log import read_log

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scorematching.fitted import FittedScore
    from scorematching.likelihood import FlowLogDensity


def trained(
    plan: Plan,
    out: Path,
    messages: Messages,
    remedy: str,
    on_record: Callable[[Record], None] | None = None,
    *,
    first: bool = True,
) -> FittedScore:
    """The model of a plan, trained and saved in a folder, its settings written there first.

    Parameters
    ----------
    remedy
        What to do after a signal has stopped it.
    on_record
        Called with the record of every step.
    first
        Whether this process, of those that train together, is the one that writes.

    Raises
    ------
    Interrupted
        A signal arrived; the run is saved.
    InvalidInput, TrainingFailed, CorruptCheckpoint, OSError
        As `fitting.fit`.
    """
    options = plan.settings.options
    if first and not plan.resumed:
        write_settings(out, plan.settings)
    with Interrupts() as interrupts:
        try:
            return fitting.fit(
                plan.data,
                validation=plan.validation,
                configuration=plan.choice,
                time_limit=options.time_limit,
                seed=options.seed,
                device=runs.torch_device(plan.device),
                out=out,
                resume=plan.has_checkpoint,
                quiet=messages.quiet,
                on_record=on_record,
                interrupts=interrupts,
            )
        except Interrupted as stop:
            raise Interrupted(stop.signum, f"{stop} {remedy}") from stop


def outcome(scored: FlowLogDensity | None, out: Path, messages: Messages) -> dict[str, Any]:
    """Say how training went, and give it back as fields of JSON.

    scored holds the log-densities of the held-out rows, if there are any. The standard error of
    their mean is the standard deviation (n − 1) over √n.
    """
    record = runs.last_record(out)
    steps, seconds = record.get("step"), record.get("seconds")
    if isinstance(steps, int) and isinstance(seconds, float):
        messages.say("trained", f"{steps:,} steps in {seconds:.0f} s")
    held_out: dict[str, Any] | None = None
    if scored is not None:
        mean, error = mean_error(scored.value.numpy())
        held_out = {"rows": len(scored.value), "mean": mean, "std_error": error}
        messages.say(
            "held out",
            f"log-density {mean:.3f} ± {error:.3f} nats a row (mean ± standard error of "
            f"{len(scored.value)} rows, which chose the best weights)",
        )
    messages.say("wrote", f"{out}: the model, checkpoints, log.jsonl, settings.json")
    return {"steps": steps, "seconds": seconds, "held_out": held_out}


def reported(
    plan: Plan,
    model: FittedScore,
    out: Path,
    messages: Messages,
    scored: FlowLogDensity | None,
) -> str | None:
    """Write the report page of a run that has just ended; its path, or None if there is none."""
    from scorematching.cli.describe import described
    from scorematching.cli.reporting import PAGE, Wanted, write_report
    from scorematching.data import Stream
    from scorematching.report.facts import Subject

    options = plan.settings.options
    train, held_out = plan.split()
    subject = Subject(
        str(out), model, train, held_out, held_out is not None, plan.source,
        described(plan.data), isinstance(plan.data, Stream), read_log(out / runs.LOG), options.seed,
    )  # fmt: skip
    try:
        write_report(subject, out / PAGE, Wanted(device=plan.device), messages, scored)
    except Diverged as error:
        messages.note(f"there is no report: {error}")
        return None
    messages.say("report", f"{out / PAGE}: open it in a browser")
    return str(out / PAGE)


@contextmanager
def events(out: Path, *, enabled: bool) -> Iterator[Callable[[Record], None] | None]:
    """What writes each record for TensorBoard, where that is asked for.

    Raises
    ------
    InvalidInput
        TensorBoard is not installed.
    """
    if not enabled:
        yield None
        return
    from scorematching.cli.tensorboard import EVENTS
    from scorematching.training.events import event_writer

    with event_writer(out / EVENTS) as write:
        yield write


def mean_error(values: NDArray[np.float64]) -> tuple[float, float]:
    """The mean of values ``(n,)`` and its standard error, n − 1; NaN for a single one."""
    n = len(values)
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
