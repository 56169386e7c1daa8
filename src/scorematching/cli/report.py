"""``scorematching report``: a page that shows what a run has learnt, and whether to trust it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from scorematching.cli import options, runs
from scorematching.cli.session import Messages

EPILOG = (
    "Example: scorematching report runs/wine\n\n"
    "Example: scorematching report runs/red --held-out new.csv --out red.html --json\n\n"
    "Keys of --json: command, run, out, rows (trained on), held_out (rows), samples (rows), merits "
    "(a list: key, name, value, std_error, reading, verdict), seconds, notes."
)


def report(
    run: options.Run,
    *,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="The rows that RUN was fitted to, where they lie elsewhere now. "
            "Default: as they were given to fit.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Rows that the model has not seen, to judge it by. "
            "Default: those that fit held out, if any.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=20,
            help="Rows to draw. Default: up to 1,000, fewer for large networks.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
    scored: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Rows to compute the log-density of, held-out ones and as many training rows. "
            "Default: up to 256, fewer for large networks.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="A whole number: of the samples.", rich_help_panel=options.DRAWING_PANEL),
    ] = 0,
    device: options.Device = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Page to write: .html. Default: RUN/report.html, replaced if it exists.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write a page on the model in RUN: data beside samples, losses, density, figures of merit.

    One HTML file, which needs a browser and no network.
    """
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        from scorematching.cli.reporting import PAGE, Wanted, subject_of, write_report
        from scorematching.data.atomic import check_free
        from scorematching.errors import InvalidInput

        model = runs.loaded(run, device)
        path = run / PAGE if out is None else out
        if path.suffix.lower() not in (".html", ".htm"):
            raise InvalidInput(f"--out {path}: expected a .html file: got {path.suffix!r}.")
        check_free(path, overwrite or out is None)
        start = perf_counter()
        subject = subject_of(run, model, data, held_out, messages)
        wanted = Wanted(samples, scored, seed, device)
        fields = write_report(subject, path, wanted, messages)
    seconds = perf_counter() - start
    for merit in fields["merits"]:
        messages.say(merit["reading"], f"{merit['name']}: {merit['verdict']}")
    messages.say("wrote", f"{path} in {seconds:.1f} s: open it in a browser")
    where = {"command": "report", "run": str(run), "out": str(path)}
    messages.result({**where, **fields, "seconds": seconds, "notes": messages.notes})
