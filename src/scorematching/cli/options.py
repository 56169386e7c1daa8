"""The options that several commands share, and the panels that their help is grouped by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scorematching.cli.session import Session

DATA_PANEL = "Data"
MODEL_PANEL = "Model and training"
DRAWING_PANEL = "Drawing"
COMPUTING_PANEL = "Computing"
OUTPUT_PANEL = "Output"
FORMS = (
    "A .csv, .tsv, .parquet, .feather, .arrow, .npy or .npz file, a folder of PNG or JPEG images, "
    "or builtin:NAME, such as builtin:digits or builtin:wine. A name that starts with a dash goes "
    "after --."
)


def _debug(context: typer.Context, value: bool) -> bool:
    context.ensure_object(Session).debug |= value
    return value


Data = Annotated[str, typer.Argument(metavar="DATA", help=FORMS, show_default=False)]
Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="The folder of a finished fit.", show_default=False),
]
Condition = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="NAME=NUMBER,…",
        help="What is given of all rows, for a model fitted with --condition.",
        rich_help_panel=DATA_PANEL,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="cpu, cuda, or cuda:N for the N-th card.",
        rich_help_panel=COMPUTING_PANEL,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace FILE if it exists.", rich_help_panel=OUTPUT_PANEL),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=OUTPUT_PANEL),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object on standard output; its keys are listed below.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show the traceback of an error.",
        callback=_debug,
        is_eager=True,
        rich_help_panel=OUTPUT_PANEL,
    ),
]
