"""``scorematching denoise``: noisy rows in, the rows that they most likely were out."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from scorematching.cli import options, parsing, runs
from scorematching.cli.session import Messages

EPILOG = (
    "Example: scorematching denoise runs/wine noisy.csv --sigma 0.3 --out clean.csv\n\n"
    "Example: scorematching denoise runs/digits noisy.npy --sigma 4 --out clean.npy --json\n\n"
    "Keys of --json: command, run, data, out, rows, sigma, label, seconds, notes."
)


def denoise(
    run: options.Run,
    data: options.Data,
    *,
    sigma: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="The noise in DATA, as a standard deviation: in the units of the data for images "
            "and arrays of numbers or signals; in those of the whitened rows for tables and arrays "
            "of columns, where 1 is the spread of the data.",
            show_default=False,
            rich_help_panel=options.COMPUTING_PANEL,
        ),
    ],
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
            help="Tables: .csv, .tsv, .parquet, .feather or .arrow. Arrays: .npy or .npz. "
            "Images: .npy, .npz, or a folder of PNG files (a name without an ending).",
            show_default=False,
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ],
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Take noise of level SIGMA off the rows of DATA: E[x₀ | x₀ + noise = x] by the model in RUN.

    Rows are written in the form of the data that the model was fitted to, whole numbers rounded.
    """
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        from dataclasses import replace

        from scorematching.cli.loglik import check_condition, check_labels
        from scorematching.data import check_writable, read, write
        from scorematching.data.noisy import noisy
        from scorematching.preprocessing import level_of

        model = runs.loaded(run, device)
        check_writable(out, model.schema, overwrite)
        level_of(sigma, model.transform, model.schema, model.process)  # is it one of the model's?
        rows = read(data, like=noisy(model.schema))
        for note in rows.notes:
            messages.note(note)
        check_labels(model, rows, data, label)
        given = None if condition is None else parsing.condition(condition)
        check_condition(model, rows, data, given)
        messages.say("denoising", f"{rows.n:,} rows of {data}, noise of level {sigma:g}, by {run}")
        start = perf_counter()
        clean = model.denoise(rows, sigma, labels=label, condition=given)
        seconds = perf_counter() - start
        schema = model.schema if rows.labels is not None else replace(model.schema, label=None)
        write(out, clean, schema, rows.labels, rows.condition, overwrite=overwrite)
    messages.say("wrote", f"{out}: {rows.n:,} rows in {seconds:.1f} s")
    where = {"command": "denoise", "run": str(run), "data": data, "out": str(out)}
    messages.result(
        {
            **where,
            "rows": rows.n,
            "sigma": sigma,
            "label": label,
            "seconds": seconds,
            "notes": messages.notes,
        }
    )
