"""``scorematching demo``: fit what comes along and show data beside samples, or run an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorematching.cli import examples, options, runs
from scorematching.cli.session import Messages
from scorematching.errors import InvalidInput

if TYPE_CHECKING:
    from scorematching.data import Dataset
    from scorematching.fitted import FittedScore

FIRST_LIGHT = "first-light"
DEMOS = {
    FIRST_LIGHT: "fit digits and a table of wines, draw samples of both; minutes",
    **examples.EXAMPLES,
}

EPILOG = "\n\n".join(
    [
        *(f"{name}: {line}." for name, line in DEMOS.items()),
        "Example: scorematching demo",
        "Example: scorematching demo potentials --out runs/demo --json",
        "Keys of --json: command, name, out, picture, samples (a folder and a file), runs "
        "(folders), numbers (name: number), seconds.",
    ]
)

PICTURE = "first-light.png"

#: Shorter than the defaults: two minutes in all on two cores.
DIGITS = {"training": {"max_steps": 600, "average_half_life": 80}}
WINE = {"training": {"max_steps": 600, "n_members": 1}}


def demo(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Which one; they are listed below.")
    ] = FIRST_LIGHT,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Of an example: fewer rows and steps; seconds.",
            rich_help_panel=options.COMPUTING_PANEL,
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Of every draw.", rich_help_panel=options.COMPUTING_PANEL
        ),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where to write; a folder that is empty or not there yet. "
            "Default: runs/NAME, or the next free runs/NAME-2, …",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Run a demo and draw its picture: first-light, or an example of the lecture notes.

    None needs data or a network, and none opens a window.
    """
    if name not in DEMOS:
        raise InvalidInput(f"there is no demo {name!r}. The demos are: {', '.join(DEMOS)}.")
    if quick and name == FIRST_LIGHT:
        raise InvalidInput(
            f"{FIRST_LIGHT} has no --quick. Leave it out, or choose an example: "
            f"{', '.join(examples.EXAMPLES)}."
        )
    folder = _folder(out, name)
    messages = Messages(quiet, as_json)
    _one_thread()
    start = perf_counter()
    with messages.warnings_noted(), runs.held(folder, dry_run=False):
        if name == FIRST_LIGHT:
            made = _first_light(folder, seed, messages)
        else:
            made = _example(name, folder, quick, seed, messages)
    made = {"command": "demo", "name": name, "out": str(folder), **made}
    messages.result({**made, "seconds": perf_counter() - start})


def _example(
    name: str, folder: Path, quick: bool, seed: int, messages: Messages
) -> dict[str, object]:
    """Run the script of an example; what there is to tell of it."""
    picture = folder / f"{name}.png"
    messages.say("script", str(examples.folder() / f"{name}.py"))
    found = examples.picture(name, picture, quick=quick, seed=seed)
    messages.table("numbers", ((each, f"{value:.5g}") for each, value in found.items()))
    messages.say("picture", f"{picture}: {DEMOS[name]}")
    return {"picture": str(picture), "samples": [], "runs": [], "numbers": found}


def _first_light(folder: Path, seed: int, messages: Messages) -> dict[str, object]:
    """Fit both sets, draw samples of each; what there is to tell of it."""
    digits = _Part("digits", folder, seed, messages)
    images = digits.fit("builtin:digits", DIGITS, {})
    drawn = digits.sample(images, 100, "digits-samples")
    wine = _Part("wine", folder, seed, messages)
    names = _names("builtin:wine")
    table = wine.fit("builtin:wine", WINE, {"label": "target", "positive": names})
    rows = wine.sample(table, 1000, "wine-samples.csv")
    picture = _picture(folder / PICTURE, drawn, rows, names, seed)
    samples = [folder / "digits-samples", folder / "wine-samples.csv"]
    messages.say("picture", f"{picture}: data beside samples")
    messages.say("samples", f"{samples[0]}, {samples[1]}")
    messages.say("models", f"{digits.run}, {wine.run}")
    again = runs.command_line("sample", str(wine.run), "-n", "1000", "--out", "more.csv")
    messages.say("next", again)
    return {
        "picture": str(picture),
        "samples": [str(each) for each in samples],
        "runs": [str(digits.run), str(wine.run)],
        "numbers": {},
    }


@dataclass(frozen=True)
class _Part:
    """One of the two fits, in a folder of its own within the demo's."""

    name: str
    folder: Path
    seed: int
    messages: Messages

    @property
    def run(self) -> Path:
        return self.folder / self.name

    def fit(
        self, source: str, configuration: Mapping[str, Any], given: dict[str, Any]
    ) -> FittedScore:
        from scorematching.cli.plan import of_new
        from scorematching.cli.training import outcome, trained

        plan = of_new(source, self.run, {**given, "seed": self.seed}, configuration)
        plan.tell(self.messages, self.run)
        with runs.held(self.run, dry_run=False):
            model = trained(plan, self.run, self.messages, "Run the demo again for a new one.")
            outcome(plan.scored(model), self.run, self.messages)
        return model

    def sample(self, model: FittedScore, n: int, name: str) -> Dataset:
        from scorematching.data import write

        start = perf_counter()
        rows: Dataset = model.sample(n, seed=self.seed)
        write(self.folder / name, rows.values, rows.schema, rows.labels)
        self.messages.say(
            "drawn", f"{rows.n:,} samples of {self.name} in {perf_counter() - start:.1f} s"
        )
        self.messages.say("", "")
        return rows


def _one_thread() -> None:
    """Compute with one thread: such small networks gain little from two, and where the cores are
    busy with something else two wait for each other, ten times as long."""
    import torch

    torch.set_num_threads(1)


def _folder(out: Path | None, name: str) -> Path:
    """A folder that is free: the one asked for, or the next of the default's name."""
    if out is not None:
        if out.exists() and not out.is_dir():
            raise InvalidInput(f"{out} is a file. Choose another --out.")
        if out.is_dir() and any(out.iterdir()):
            raise InvalidInput(f"{out} is not empty. Choose another --out.")
        return out
    first = Path("runs") / name
    number = 1
    while (folder := first if number == 1 else first.with_name(f"{first.name}-{number}")).exists():
        number += 1
    return folder


def _names(source: str) -> list[str]:
    """The columns of a table."""
    from scorematching.data import TableSchema, read

    schema = read(source).schema
    assert isinstance(schema, TableSchema)
    return [column.name for column in schema.columns]


def _picture(path: Path, digits: Dataset, wine: Dataset, names: list[str], seed: int) -> Path:
    import numpy as np

    from scorematching.data import read
    from scorematching.report.first_light import Pair, first_light, save_picture

    images = read("builtin:digits").values
    shuffled = images[np.random.default_rng(seed).permutation(len(images))]
    figure = first_light(
        Pair("Digits", shuffled, digits.values),
        Pair("Wine", read("builtin:wine").values, wine.values),
        columns=names,
        scatters=[("flavanoids", "color_intensity"), ("alcohol", "proline")],
        histograms=["flavanoids", "proline"],
    )
    save_picture(figure, path)
    return path
