"""Data beside samples: sheets of images, or columns one by one, two by two and in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from scorematching.data import Dataset, TableSchema
from scorematching.report import rows
from scorematching.report.blocks import Block, Picture, Pictures, Section, Table, Words
from scorematching.report.facts import Facts
from scorematching.report.images import grid
from scorematching.report.signals import lines
from scorematching.report.two_sample import chance_gap, largest_gaps
from scorematching.report.views import (
    are_images,
    column_names,
    real_rows,
    sample_rows,
    shuffled,
    span,
    whole_columns,
)
from scorematching.training_rows import subset

Array = NDArray[np.float64]

MOST_MARGINALS = 24
MOST_COLUMNS = 200  # in the table
MOST_SIGNALS = 4  # of a row, to be drawn each for itself
SIGNAL = 12  # from so many numbers on, the rows of an array are drawn as lines as well
SHEET = {16: 60, 32: 50, 64: 30, 128: 20}  # pixels of the longer side → images of a sheet
FEWEST = 12


def data_and_samples(facts: Facts) -> Section:
    """Data beside samples."""
    train, held_out = facts.subject.train, facts.subject.held_out
    real = train.n + (0 if held_out is None else held_out.n)
    words = f"{real:,} rows of data, {facts.samples.n:,} samples of the model."
    blocks = _of_images(facts, words) if are_images(facts) else _of_columns(facts, words)
    return Section("samples", "Data and samples", blocks)


def _of_images(facts: Facts, words: str) -> list[Block]:
    train, samples = facts.subject.train, facts.samples
    side = max(train.schema.event[1:])
    count = next((n for size, n in SHEET.items() if side <= size), FEWEST)
    picked = np.random.default_rng(0).permutation(train.n)
    data = _by_class(subset(train, picked[:count]))
    drawn = _by_class(subset(samples, np.arange(min(count, samples.n))))
    sort = "" if train.labels is None else ", by class"
    sheets = [
        Picture(grid(each.values, span(facts), f"{each.n} {what}"), f"{what.capitalize()}{sort}")
        for each, what in ((data, "images of the data"), (drawn, "samples"))
    ]
    return [Words(f"{words} Some of each:"), Pictures(sheets, "sheets")]


def _by_class(data: Dataset) -> Dataset:
    return data if data.labels is None else subset(data, np.argsort(data.labels, kind="stable"))


def _of_columns(facts: Facts, words: str) -> list[Block]:
    data, drawn = shuffled(real_rows(facts)), sample_rows(facts)
    names, whole, d = column_names(facts), whole_columns(facts), data.shape[1]
    first = range(min(d, MOST_MARGINALS))
    some = f" The first {len(first)} of {d} columns:" if len(first) < d else ""
    blocks: list[Block] = [Words(f"{words} Lines are data, filled areas are samples.{some}")]
    if d >= SIGNAL and not isinstance(facts.subject.model.schema, TableSchema):
        blocks.append(Pictures([*map(Picture, _signals(facts, data, drawn))]))
    single = [
        rows.marginal(names[j], data[:, j], drawn[:, j], whole=whole[j], key=f"marginal-{j}")
        for j in first
    ]
    blocks.append(Pictures([*map(Picture, single)], "small"))
    pairs = rows.telling_pairs(data[:, first]) if d > 1 else []
    if len(pairs) > 1:
        blocks.append(Words("Pairs of columns that depend on each other most:"))
    double = [
        rows.pair((names[i], names[j]), data[:, [i, j]], drawn[:, [i, j]], f"pair-{i}-{j}")
        for i, j in pairs
    ]
    size = "large" if len(pairs) == 1 else "wide"
    return [*blocks, Pictures([*map(Picture, double)], size), _numbers(data, drawn, names)]


def _signals(facts: Facts, data: Array, drawn: Array) -> list[Markup]:
    """Rows as lines; those that hold several signals, one signal after the other."""
    event = facts.subject.model.schema.event
    count = event[0] if len(event) == 2 and event[0] <= MOST_SIGNALS else 1
    found = []
    for k in range(count):
        of = f", signal {k + 1} of {count}" if count > 1 else ""
        key = f"-{k}" if count > 1 else ""
        for rows_, what in ((data, "data"), (drawn, "samples")):
            part = np.split(rows_, count, axis=1)[k]
            found.append(lines(part, what, f"lines-{what}{key}", of))
    return found


def _numbers(data: Array, samples: Array, names: Sequence[str]) -> Table:
    """Moments and quantiles of each column, and the largest gap of the distribution functions."""
    gaps = largest_gaps(data, samples)
    limit = chance_gap(len(data), len(samples), len(gaps))
    moments = [
        np.stack([each.mean(0), each.std(0), *np.quantile(each, [0.05, 0.5, 0.95], axis=0)])
        for each in (data, samples)
    ]
    body = []
    for j, name in enumerate(names[:MOST_COLUMNS]):
        cells = [_number(each[k, j]) for k in range(5) for each in moments]
        body.append([name, *cells, f"{gaps[j]:.3f}{' *' if gaps[j] > limit else ''}"])
    measures = ("mean", "standard deviation", "5 % quantile", "median", "95 % quantile")
    return Table(
        "All columns in numbers. The gap is the largest difference of the distribution functions; "
        f"* is more than chance allows, {limit:.3f}.",
        ["column", *["data", "samples"] * len(measures), "gap"],
        body,
        groups=[("", 1), *((name, 2) for name in measures), ("", 1)],
        folded=True,
    )


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
