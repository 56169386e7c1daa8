"""``scorematching sample``: rows drawn from a fitted model, in the form of the data."""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorematching.cli import options, parsing, runs
from scorematching.cli.progress import spinning
from scorematching.cli.session import Messages
from scorematching.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scorematching.fitted import FittedScore

EPILOG = (
    "Example: scorematching sample runs/wine -n 1000 --out samples.csv\n\n"
    "Example: scorematching sample runs/digits -n 100 --label 7 --seed 1 --out sevens\n\n"
    "Example: scorematching sample runs/white --condition alcohol=12,pH=3.2 --out strong.csv\n\n"
    "Keys of --json: command, run, out, n (rows written), asked (rows asked for), seed, label, "
    "condition (a map), condition_file, guidance, evaluations (of the network, a row), seconds, "
    "notes."
)


def sample(
    run: options.Run,
    *,
    n: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            help="Rows. Default: 1000, or as many as --condition-file has.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
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
    condition: options.Condition = None,
    condition_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A table with the columns of the condition: a row of FILE is given of each row "
            "that is drawn, or its one row of all.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
    guidance: Annotated[
        float,
        typer.Option(
            metavar="W",
            help="The guidance scale: 1 draws given class and condition, more exaggerates what "
            "sets them apart, 0 draws rows of which nothing is known.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = 1.0,
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
        numbers = None if condition is None else parsing.condition(condition)
        given: Any = numbers
        if condition_file is not None:
            given = _given(model, condition_file, condition)
            n = len(given) if n is None else n
        n = 1000 if n is None else n
        _check_memory(model, n)
        model = _with_evaluations(model, evaluations)
        used = model.configuration.sampling.n_evaluations
        of = "" if label is None else f" of class {label!r}"
        of += "" if numbers is None else f" given {', '.join(condition or ())}"
        of += "" if condition_file is None else f" given those of {condition_file}"
        of += "" if guidance == 1 else f", guidance {guidance:g}"
        messages.say(
            "drawing",
            f"{n:,} rows{of} from {run}, {used} evaluations each, seed {seed}, device {device}",
        )
        start = perf_counter()
        with spinning("drawing", quiet=quiet):
            rows = model.sample(n, seed=seed, labels=label, condition=given, guidance=guidance)
        seconds = perf_counter() - start
        write(out, rows.values, rows.schema, rows.labels, rows.condition, overwrite=overwrite)
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
            "condition": numbers,
            "condition_file": condition_file,
            "guidance": guidance,
            "evaluations": used,
            "seconds": seconds,
            "notes": messages.notes,
        }
    )


def _given(model: FittedScore, file: str, condition: list[str] | None) -> NDArray[np.float64]:
    """The rows of a table that are given of samples, ``(n, k)``.

    Raises
    ------
    InvalidInput
        The model is not given any, they are given twice, or the file lacks a column.
    """
    from scorematching.data import read
    from scorematching.data.schema import only_condition

    if condition is not None:
        raise InvalidInput("--condition and --condition-file say the same thing: leave one out.")
    if not model.schema.condition:
        raise InvalidInput(f"--condition-file {file}: the model was fitted without a condition.")
    return read(file, like=only_condition(model.schema)).values


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
