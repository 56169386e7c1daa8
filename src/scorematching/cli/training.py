"""Training as planned, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorematching import fitting
from scorematching.cli import runs
from scorematching.cli.plan import Plan
from scorematching.cli.session import Messages
from scorematching.cli.settings import write_settings
from scorematching.training import Interrupted, Interrupts

if TYPE_CHECKING:
    from scorematching.fitted import FittedScore


def trained(plan: Plan, out: Path, messages: Messages, remedy: str) -> FittedScore:
    """The model of a plan, trained and saved in a folder, its settings written there first.

    Parameters
    ----------
    remedy
        What to do after a signal has stopped it.

    Raises
    ------
    Interrupted
        A signal arrived; the run is saved.
    InvalidInput, TrainingFailed, CorruptCheckpoint, OSError
        As `fitting.fit`.
    """
    options = plan.settings.options
    if not plan.resumed:
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
                interrupts=interrupts,
            )
        except Interrupted as stop:
            raise Interrupted(stop.signum, f"{stop} {remedy}") from stop


def outcome(plan: Plan, model: FittedScore, out: Path, messages: Messages) -> dict[str, Any]:
    """Say how training went, and give it back as fields of JSON."""
    record = runs.last_record(out)
    steps, seconds = record.get("step"), record.get("seconds")
    if isinstance(steps, int) and isinstance(seconds, float):
        messages.say("trained", f"{steps:,} steps in {seconds:.0f} s")
    held_out = plan.held_out(model)
    if held_out is not None:
        messages.say(
            "held out",
            f"log-density {held_out['mean']:.3f} ± {held_out['std_error']:.3f} nats a row (mean ± "
            f"standard error of {held_out['rows']} rows, which chose the best weights)",
        )
    messages.say("wrote", f"{out}: the model, checkpoints, log.jsonl, settings.json")
    return {"steps": steps, "seconds": seconds, "held_out": held_out}
