"""``scorematching sample``: rows drawn from a fitted model, in the form of the data."""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from scorematching.cli import options, runs
from scorematching.cli.progress import spinning
from scorematching.cli.session import Messages
from scorematching.errors import InvalidInput

if TYPE_CHECKING:
    from scorematching.fitted import FittedScore

EPILOG = (
    "Example: scorematching sample runs/wine -n 1000 --out samples.csv\n\n"
    "Example: scorematching sample runs/digits -n 100 --label 7 --seed 1 --out sevens\n\n"
    "Keys of --json: command, run, out, n (rows written), asked (rows asked for), seed, label, "
    "evaluations (of the network, a row), seconds, notes."
)


def sample(
    run: options.Run,
    *,
    n: Annotated[
        int,
        typer.Option("-n", min=1, help="Rows.", rich_help_panel=options.DRAWING_PANEL),
    ] = 1000,
    seed: Annotated[
        int,
        typer.Option(
            help="A whole number: the same one gives the same rows.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = 0,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Draw this class alone, from a model fitted with --label. "
            "Default: classes as frequent as in the data.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Evaluations of the network a row: more are slower and more exact. "
            "Default: that of the run.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
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
    """Draw rows from the model in RUN and write them in the form of its data.

    The same seed gives the same rows; more of them start with the same ones.
    """
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        from scorematching.data import check_writable, write

        model = runs.loaded(run, device)
        check_writable(out, model.schema, overwrite)
        _check_labels(model, out, label)
        _check_memory(model, n)
        model = _with_evaluations(model, evaluations)
        used = model.configuration.sampling.n_evaluations
        of = "" if label is None else f" of class {label!r}"
        messages.say(
            "drawing",
            f"{n:,} rows{of} from {run}, {used} evaluations each, seed {seed}, device {device}",
        )
        start = perf_counter()
        with spinning("drawing", quiet=quiet):
            rows = model.sample(n, seed=seed, labels=label)
        seconds = perf_counter() - start
        write(out, rows.values, rows.schema, rows.labels, overwrite=overwrite)
    messages.say("wrote", f"{out}: {rows.n:,} rows in {seconds:.1f} s")
    messages.result(
        {
            "command": "sample",
            "run": str(run),
            "out": str(out),
            "n": rows.n,
            "asked": n,
            "seed": seed,
            "label": label,
            "evaluations": used,
            "seconds": seconds,
            "notes": messages.notes,
        }
    )


def _with_evaluations(model: FittedScore, evaluations: int | None) -> FittedScore:
    from dataclasses import replace

    from scorematching.configuration import overridden

    if evaluations is None:
        return model
    changes = {"sampling": {"n_evaluations": evaluations}}
    return replace(model, configuration=overridden(model.configuration, changes, "--evaluations"))


def _check_labels(model: FittedScore, out: Path, label: str | None) -> None:
    """Raise InvalidInput for a class where there are none, or a file with no room for classes."""
    if label is not None and model.schema.label is None:
        raise InvalidInput(
            f"--label {label!r}: the model was fitted without labels. Leave it out, or fit with "
            "--label NAME."
        )
    if model.schema.label is not None and out.suffix.lower() == ".npy":
        raise InvalidInput(f"{out}: an NPY file has no room for labels. Use .npz.")


def _check_memory(model: FittedScore, n: int) -> None:
    """Raise InvalidInput if the rows alone would fill the memory."""
    import os

    size = n * math.prod(model.schema.event) * 8
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise InvalidInput(
            f"-n {n:,} rows take {size / 2**30:.1f} GiB, and this machine has "
            f"{memory / 2**30:.1f}. Draw fewer at a time, each with a --seed of its own."
        )
