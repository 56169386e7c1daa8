"""``scorematching loglik``: the log-density of each row of some data under a fitted model."""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorematching.cli import options, parsing, runs
from scorematching.cli.progress import tracked
from scorematching.cli.session import Messages
from scorematching.errors import Diverged, InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from scorematching.data import Dataset, TableSchema
    from scorematching.fitted import FittedScore
    from scorematching.likelihood import FlowLogDensity

PART = 512  # rows at a time

EPILOG = (
    "Example: scorematching loglik runs/wine builtin:wine --out loglik.csv\n\n"
    "Example: scorematching loglik runs/red new.csv --out loglik.parquet --json\n\n"
    "Columns of FILE, a row of DATA each, in order: log_density in nats and the units of DATA; "
    "step_error, its change where the steps are halved; and, where probes estimate the trace (for "
    "images), probe_error, its standard error.\n\n"
    "Keys of --json: command, run, data, out, rows, mean, std_error (n − 1), not_finite (rows left "
    "out of both), step_error (median, max), seconds, notes."
)


def loglik(
    run: options.Run,
    data: options.Data,
    *,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="The class of all rows, for a model fitted with --label and DATA without it.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    condition: options.Condition = None,
    device: options.Device = "cpu",
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Table to write: .csv, .tsv, .parquet, .feather or .arrow.",
            show_default=False,
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ],
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Compute log p of each row of DATA under the model in RUN, in nats, by the probability flow.

    DATA has the columns, or the shape, that the model was fitted to.
    """
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        import pyarrow as pa

        from scorematching.data import check_writable, read
        from scorematching.data.writing import write_table

        model = runs.loaded(run, device)
        check_writable(out, _table_schema(), overwrite)
        rows = read(data, like=model.schema)
        for note in rows.notes:
            messages.note(note)
        check_labels(model, rows, data, label)
        given = None if condition is None else parsing.condition(condition)
        check_condition(model, rows, data, given)
        messages.say("computing", f"log-densities of {rows.n:,} rows of {data} under {run}")
        start = perf_counter()
        result = _in_parts(model, rows, label, given, quiet=quiet)
        seconds = perf_counter() - start
        summary = summarised(result, run)
        columns = {
            "log_density": result.value,
            "step_error": result.step_error,
            "probe_error": result.probe_error,
        }
        arrays = {name: each.numpy() for name, each in columns.items() if each is not None}
        write_table(out, pa.table(arrays), overwrite=overwrite)
    n, lost, step = summary["rows"], summary["not_finite"], summary["step_error"]
    if lost:
        messages.note(f"{lost} of {n} log-densities are not finite; the mean leaves them out.")
    messages.say(
        "mean",
        f"{summary['mean']:.4f} ± {summary['std_error']:.4f} nats (standard error, n − 1)",
    )
    messages.say(
        "steps", f"halving them changes a row by {step['median']:.2g} (median), {step['max']:.2g} "
        "(most) nats"
    )  # fmt: skip
    messages.say("wrote", f"{out}: {n:,} rows in {seconds:.1f} s")
    where = {"command": "loglik", "run": str(run), "data": data, "out": str(out)}
    messages.result({**where, **summary, "seconds": seconds, "notes": messages.notes})


def _in_parts(
    model: FittedScore,
    rows: Dataset,
    label: str | None,
    given: dict[str, float] | None,
    *,
    quiet: bool,
) -> FlowLogDensity:
    """The log-densities, a part of the rows at a time: none depends on the other rows."""
    import numpy as np
    import torch

    from scorematching.likelihood import FlowLogDensity
    from scorematching.training_rows import subset

    index = np.split(np.arange(rows.n), range(PART, rows.n, PART))
    found = [
        model.flow_log_density(
            subset(rows, part), labels=label, condition=given, step_doubling=True
        )
        for part in tracked(index, "computing", quiet=quiet)
    ]

    def joined(parts: list[Tensor | None]) -> Tensor | None:
        known = [part for part in parts if part is not None]
        return torch.cat(known) if known else None

    return FlowLogDensity(
        torch.cat([each.value for each in found]),
        joined([each.step_error for each in found]),
        joined([each.probe_error for each in found]),
        found[0].n_evaluations,
    )


def summarised(result: FlowLogDensity, run: Path) -> dict[str, Any]:
    """Mean and standard error over the rows that are finite, and the errors of the steps.

    Raises
    ------
    Diverged
        No log-density is finite.
    """
    values = result.value
    kept = values.isfinite()
    finite = values[kept]
    if not len(finite):
        raise Diverged(
            f"none of {len(values)} log-densities is finite. Is DATA of the same kind and units as "
            f"the rows that {run} was fitted to?"
        )
    n = len(finite)
    steps = values.new_zeros(n) if result.step_error is None else result.step_error[kept]
    return {
        "rows": len(values),
        "mean": finite.mean().item(),
        "std_error": finite.std().item() / math.sqrt(n) if n > 1 else math.nan,
        "not_finite": len(values) - n,
        "step_error": {"median": steps.median().item(), "max": steps.max().item()},
    }


def check_labels(model: FittedScore, rows: Dataset, data: str, label: str | None) -> None:
    """Raise InvalidInput unless there is a class a row exactly where the model needs one."""
    wanted = model.schema.label
    if wanted is None:
        if label is not None:
            raise InvalidInput(
                f"--label {label!r}: the model was fitted without labels. Leave it out."
            )
    elif rows.labels is None and label is None:
        raise InvalidInput(
            f"{data}: the model was fitted with the label {wanted.name!r}, and the rows have none. "
            "Add it to them, or give one class for all by --label CLASS."
        )
    elif rows.labels is not None and label is not None:
        raise InvalidInput(
            f"{data}: the rows carry the label {wanted.name!r} themselves: leave --label out."
        )


def check_condition(
    model: FittedScore, rows: Dataset, data: str, given: dict[str, float] | None
) -> None:
    """Raise InvalidInput unless there is a condition a row exactly where the model needs one."""
    wanted = ", ".join(map(repr, model.schema.condition))
    if not wanted:
        if given is not None:
            raise InvalidInput("--condition: the model was fitted without one. Leave it out.")
    elif rows.condition is None and given is None:
        raise InvalidInput(
            f"{data}: the model was fitted with the condition {wanted}, and the rows have none. "
            "Add it to them, or give one for all by --condition NAME=NUMBER,…."
        )
    elif rows.condition is not None and given is not None:
        raise InvalidInput(
            f"{data}: the rows carry the condition {wanted} themselves: leave --condition out."
        )


def _table_schema() -> TableSchema:
    """The form of what is written, to ask whether it can be."""
    from scorematching.data import Column, Kind, TableSchema

    return TableSchema((Column("log_density", Kind.REAL),))
