"""The report page: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from scorematching import __version__
from scorematching.configuration import Configuration
from scorematching.data.atomic import new_file
from scorematching.report.blocks import Block, Commands, Section, Table, Words
from scorematching.report.data_section import data_and_samples
from scorematching.report.density_merits import density_merits
from scorematching.report.facts import Facts
from scorematching.report.merit import Merit, Reading, in_short
from scorematching.report.model_sections import denoising, density, training
from scorematching.report.sample_merits import sample_merits

SIGNS = {Reading.GOOD: "✓", Reading.FAIR: "~", Reading.POOR: "✗", Reading.OPEN: "?"}


def figures_of_merit(facts: Facts) -> list[Merit]:
    """All figures that the facts allow, of the density and of the samples."""
    return density_merits(facts) + sample_merits(facts)


def page(
    facts: Facts,
    merits: Sequence[Merit],
    *,
    about: Sequence[tuple[str, str]],
    commands: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """The HTML of the page.

    Parameters
    ----------
    facts, merits
        What it shows.
    about
        Names and values for its head: the data, the network, the training.
    commands
        What can be run next, and what that does.
    notes
        What a user should know of the data.
    """
    sections = [data_and_samples(facts), training(facts), denoising(facts)]
    sections += [each for each in [density(facts)] if each is not None]
    sections.append(settings(facts))
    if commands:
        sections.append(Section("next", "What next", [Commands(commands)]))
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=facts.subject.name,
            about=about,
            notes=notes,
            short=in_short([*merits]),
            merits=merits,
            signs=SIGNS,
            sections=sections,
            version=__version__,
        )
    )


def write_page(path: Path, html: str) -> None:
    """Write the page, whole or not at all; what stood there is replaced."""
    with new_file(path, overwrite=True) as temporary:
        temporary.write_text(html, encoding="utf-8")


def settings(facts: Facts) -> Section:
    """Settings that were chosen with their reasons, and all of them."""
    model = facts.subject.model
    chosen = [(_breaking(name), *_value_and_reason(why)) for name, why in model.reasons.items()]
    blocks: list[Block] = [
        Words("Chosen from the data unless given; each with its reason."),
        Table("Settings and reasons", ["setting", "value", "reason"], chosen, numbers=False),
        Table(
            "All settings",
            ["setting", "value"],
            [(_breaking(name), value) for name, value in flattened(model.configuration)],
            folded=True,
            numbers=False,
        ),
    ]
    return Section("settings", "Settings, and why", blocks)


def flattened(configuration: Configuration) -> list[tuple[str, str]]:
    """The dotted names of all settings, and their values."""
    found = []
    for name, value in configuration.model_dump(mode="json").items():
        if isinstance(value, dict):
            found += [(f"{name}.{inner}", _plain(each)) for inner, each in value.items()]
        else:
            found.append((name, _plain(value)))
    return found


def _breaking(name: str) -> Markup:
    """A dotted name that may go on in the next line after a dot or an underscore."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _value_and_reason(why: str) -> tuple[str, str]:
    value, colon, reason = why.partition(": ")
    return (value, reason) if colon else ("", why)


def _environment() -> Environment:
    folder = files("scorematching.report")
    return Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
