"""A progress bar on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from scorematching.training.records import Record


def shown(records: Iterable[Record], *, quiet: bool = False) -> Iterator[Record]:
    """Pass records on and show step, loss, validation, rate and time left on standard error.

    Shows nothing if quiet, or where standard error is not a terminal. It refreshes ten times a
    second, whatever the rate of the steps.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield from records
        return
    # Imported here: rich takes a tenth of a second, which silent runs need not pay.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=None, state="")
        for record in records:
            bar.update(task, completed=record.step, total=record.max_steps, state=state_of(record))
            yield record


def state_of(record: Record) -> str:
    """What the bar says beside the steps: loss, best validation, rate, skipped batches."""
    parts = [f"loss {record.loss:.4g}"]
    if record.best_validation is not None:
        parts.append(f"best validation {record.best_validation:.4g}")
    parts.append(f"{record.rows_per_second:,.0f} rows/s")
    if record.skipped:
        parts.append(f"{record.skipped} skipped")
    return ", ".join(parts)
