"""``scorematching noise``: which noise levels and Langevin steps suit some data, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from scorematching.cli import options, parsing
from scorematching.cli.session import Messages

EPILOG = (
    "Example: scorematching noise builtin:digits\n\n"
    "Example: scorematching noise wine.csv --drop quality --steps-each 20 --json\n\n"
    "Levels and steps are in the units of the rows that fit trains on: whitened, or for images "
    "centred and of unit mean variance.\n\n"
    "Keys of --json: command, data (name, rows), coordinates, sigma_max, sigma_min, n_levels, "
    "n_steps_each, step_size, ema_decay, reasons (name, value, why), notes."
)


def noise(
    data: options.Data,
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="These columns alone, in this order; may be repeated. Default: all.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…", help="Leave these columns out.", rich_help_panel=options.DATA_PANEL
        ),
    ] = None,
    steps_each: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Langevin steps at each level. Default: 5 to 30, by the work.",
            rich_help_panel=options.DRAWING_PANEL,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            help="What whole numbers are spread over their unit intervals by.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Advise noise levels and annealed Langevin steps for DATA, each with its reason.

    By the five techniques of Song & Ermon (2020), for a ladder of levels as in
    noise-conditional score networks. fit needs none of it: it trains on all levels at once.
    """
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        from scorematching.data import read
        from scorematching.noise import advise
        from scorematching.preprocessing import preprocessing
        from scorematching.shapes import event_size
        from scorematching.training_rows import dequantised

        chosen = parsing.names("--columns", columns or [])
        dropped = parsing.names("--drop", drop or [])
        found = read(data, columns=chosen or None, drop=dropped)
        values = dequantised(found, seed)
        transform, notes = preprocessing(found, values)
        rows = transform.forward(values)
        for note in (*found.notes, *notes):
            messages.note(note)
        advice = advise(rows, n_steps_each=steps_each)
    if not quiet and not as_json:
        print(advice)
    messages.result(
        {
            "command": "noise",
            "data": {"name": data, "rows": found.n},
            "coordinates": event_size(rows),
            "sigma_max": advice.sigma_max,
            "sigma_min": advice.sigma_min,
            "n_levels": advice.n_levels,
            "n_steps_each": advice.n_steps_each,
            "step_size": advice.step_size,
            "ema_decay": advice.ema_decay,
            "reasons": [vars(reason) for reason in advice.reasons],
            "notes": messages.notes,
        }
    )
