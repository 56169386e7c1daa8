"""``scorematching fit``: a table or images in, a fitted score model in a folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from scorematching.cli import options, parsing, runs
from scorematching.cli.session import Messages

EPILOG = (
    "Example: scorematching fit builtin:wine --out runs/wine --label target\n\n"
    "Example: scorematching fit wine.csv --out runs/red --drop id --positive alcohol "
    "--bounds pH=0:14 --time-limit 120\n\n"
    "Keys of --json: command, run, dry_run, resumed, data (name, rows, sha256), event (shape of a "
    "row), columns, label, condition, classes, seed, device, configuration, reasons, parameters, "
    "notes, next (a command); and, unless --dry-run: steps, seconds, held_out (rows, mean, "
    "std_error of the log-density in nats; or null), report (the page's path, or null)."
)


def fit(
    data: options.Data,
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Model these columns alone, in this order; may be repeated. "
            "Quotes keep a comma in a name. Default: all.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…", help="Leave these columns out.", rich_help_panel=options.DATA_PANEL
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Condition on the classes in this column: y for .npz, target for builtin:NAME, "
            "any name for the subfolders of a folder of images.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    positive: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Columns above 0, and so in samples.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW:HIGH",
            help="A column between LOW and HIGH, and so in samples; either may be left empty. "
            "May be repeated.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Columns of numbers that are given, not modelled: the model is of the others, "
            "given them. For .npz: c.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    validation_data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Rows to choose the best weights by. Default: a tenth of the rows of a table of "
            "50 or more, none of images.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Read the rows of a .parquet or .npy file or of a folder a group at a time, not "
            "all at once. Default: where they take more than 512 MiB, and folders of such files.",
            show_default=False,
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings in place of the chosen ones, as .json or .toml: net, noise, training, "
            "sampling, likelihood. RUN/settings.json shows them all.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="A whole number that all randomness is a function of. Default: 0.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            help="cpu, cuda, or cuda:N for the N-th card. Default: cpu.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Optimiser steps. Default: by the number of rows.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Seconds for training, above 0: fewer steps if they would take longer. "
            "Default: none.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="RUN",
            help="Folder for the model, checkpoints, log.jsonl, settings.json and report.html.",
            show_default=False,
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ],
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in RUN, with its own settings.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read the data, say what would be done, and write nothing.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = False,
    page: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            help="Write RUN/report.html at the end; `scorematching report RUN` does so later.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = True,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard",
            help="Write RUN/tensorboard while training, for TensorBoard, which is an extra.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Fit a score model to DATA, by denoising score matching over all noise levels.

    The network, noise levels and steps are chosen from the data and printed with their reasons.
    Several processes fit one model together under torchrun --nproc-per-node N -m scorematching fit.
    """
    given: dict[str, Any] = {
        "columns": None if columns is None else parsing.names("--columns", columns),
        "drop": None if drop is None else parsing.names("--drop", drop),
        "label": label,
        "positive": None if positive is None else parsing.names("--positive", positive),
        "bounds": None if bounds is None else parsing.bounds(bounds),
        "condition": None if condition is None else parsing.names("--condition", condition),
        "validation_data": validation_data,
        "stream": stream,
        "seed": seed,
        "device": device,
        "max_steps": max_steps,
        "time_limit": time_limit,
    }
    given = {name: value for name, value in given.items() if value is not None}
    changes = None if config is None else parsing.config(config)
    messages = Messages(quiet, as_json)

    from scorematching.cli import plan
    from scorematching.cli.training import events, outcome, reported, trained
    from scorematching.training import joined

    if tensorboard:
        from scorematching.training.events import writer_class

        writer_class()  # is it installed?

    with joined() as processes, ExitStack() as stack:
        if not processes.first:
            messages = Messages(quiet=True)
        stack.enter_context(messages.warnings_noted())
        if processes.first:
            stack.enter_context(runs.held(out, dry_run=dry_run))
        if resume:
            planned = plan.of_resumed(data, out, given, changes)
        else:
            planned = plan.of_new(data, out, given, changes)
        planned.tell(messages, out)
        if dry_run:
            planned.try_out()
            messages.say("dry run", "nothing was written")
            found: dict[str, Any] = {}
        else:
            with events(out, enabled=tensorboard and processes.first) as on_record:
                model = trained(
                    planned, out, messages, f"Go on: {_again(data, out)}", on_record,
                    first=processes.first,
                )  # fmt: skip
            if not processes.first:
                return
            scored = planned.scored(model)
            found = outcome(scored, out, messages)
            found["report"] = reported(planned, model, out, messages, scored) if page else None
            messages.say("next", planned.next_command(out))
        fields = {"command": "fit", "run": str(out), "dry_run": dry_run, "resumed": resume}
        fields |= planned.fields() | found
        messages.result({**fields, "notes": messages.notes, "next": planned.next_command(out)})


def _again(data: str, out: Path) -> str:
    """The command that goes on with a run that was stopped."""
    words = [data] if not data.startswith("-") else ["--", data]
    return runs.command_line("fit", "--out", str(out), "--resume", *words)
