"""``scorematching tensorboard``: the log of a run in the files that TensorBoard reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scorematching.cli import options, runs
from scorematching.cli.session import Messages
from scorematching.errors import InvalidInput

EVENTS = "tensorboard"
EVENT_FILES = "events.out.tfevents.*"

EPILOG = (
    "Example: scorematching tensorboard runs/wine\n\n"
    "Example: scorematching tensorboard runs/red --out events/red --json\n\n"
    "Keys of --json: command, run, out, records, notes, next (a command)."
)


def tensorboard(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="The folder of a fit, finished or not.", show_default=False
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where to write. Default: RUN/tensorboard, replaced if it exists.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write RUN/log.jsonl as event files for TensorBoard, which has to be installed.

    `fit --tensorboard` writes them while it trains.
    """
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        from scorematching.data.atomic import new_folder
        from scorematching.training.events import event_writer
        from scorematching.training.log import read_log

        path = run / runs.LOG
        records = read_log(path)
        if not records:
            raise InvalidInput(f"{run} holds no {runs.LOG} with records. Give the folder of a fit.")
        folder = run / EVENTS if out is None else out
        if out is None:
            _clear(folder)
        with new_folder(folder) as temporary:
            # The log was written to last when its last record came.
            started = path.stat().st_mtime - float(records[-1]["seconds"])
            with event_writer(temporary, started) as write:
                for record in records:
                    write(record)
    again = runs.shell_line("tensorboard", "--logdir", str(folder))
    messages.say("wrote", f"{folder}: {len(records):,} records")
    messages.say("next", again)
    messages.result(
        {
            "command": "tensorboard",
            "run": str(run),
            "out": str(folder),
            "records": len(records),
            "notes": messages.notes,
            "next": again,
        }
    )


def _clear(folder: Path) -> None:
    """Remove the event files of before, and nothing else."""
    for each in folder.glob(EVENT_FILES):
        each.unlink()
