"""What the model has learnt and does: its training, its denoising, its score and density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scorematching.report import curves, field, rows, through
from scorematching.report.blocks import Block, Picture, Pictures, Section, Table, Words
from scorematching.report.data_section import MOST_MARGINALS
from scorematching.report.facts import Facts
from scorematching.report.views import (
    are_images,
    column_names,
    real_rows,
    sample_rows,
    shuffled,
    span,
    unseen,
)

Array = NDArray[np.float64]

FIELD_LEVELS = (1.0, 0.3, 0.1)
MOST_CLASSES = 3


def training(facts: Facts) -> Section:
    """The losses over the steps and by noise level."""
    records = facts.subject.records
    pictures = (
        (
            curves.training_loss(records),
            "Loss of the batches over the steps; the band holds eight of ten.",
        ),
        (
            curves.validation(records),
            "Log-density of held-out rows at each check, in preprocessed units. The circle marks "
            "the weights that were kept.",
        ),
        (
            curves.by_level(facts),
            "Loss at each noise level σ, in standard deviations of the data. 100 % is one Gaussian "
            "on the same rows with the same noise; bands are standard errors.",
        ),
        (
            curves.by_level_over_time(facts),
            "The same on held-out rows over the steps, for some noise levels σ.",
        ),
    )
    found = [Picture(body, caption) for body, caption in pictures if body is not None]
    words = [] if records else [Words("The run has no log, so its course is not shown.")]
    return Section("training", "Training", [*words, Pictures(found, "large")])


def denoising(facts: Facts) -> Section:
    """A few rows through the noise levels."""
    if are_images(facts):
        blocks = _denoised_images(facts)
    elif real_rows(facts).shape[1] == 2:
        blocks = _denoised_in_the_plane(facts)
    else:
        blocks = _denoised_rows(facts)
    return Section("denoising", "Denoising", blocks)


def _denoised_images(facts: Facts) -> list[Block]:
    model = facts.subject.model
    source, kind = unseen(facts, through.ROWS)
    found = through.through(model, source, through.image_levels(model))
    body = [
        [str(k + 1), *(above + below for above, below in cells)]
        for k, cells in enumerate(through.image_rows(found, span(facts)))
    ]
    words = (
        f"{source.n} {kind} images with noise (above) and denoised (below). From left to right "
        "there is less noise: first the model can only guess an average, at last it finds the "
        "image."
    )
    head = ["σ", *(f"{level:.2g}" for level in found.levels)]
    return [Words(words), Table("Images through the noise levels", head, body, numbers=False)]


def _denoised_in_the_plane(facts: Facts) -> list[Block]:
    model = facts.subject.model
    source, kind = unseen(facts, through.ARROWS)
    levels = tuple(s for s in FIELD_LEVELS if s <= model.process.sigma_max)
    found = through.through(model, source, levels).flat()
    names = column_names(facts)
    frame = field.frame_of(model, real_rows(facts), names)
    pictures = [
        Picture(through.arrows(found, k, (names[0], names[1]), frame.span), f"σ = {level:g}")
        for k, level in enumerate(levels)
    ]
    words = (
        f"{kind.capitalize()} rows with noise, and where the model would put them back: the mean "
        "of where they may have come from. With much noise that is between the rows; with less it "
        "is on them."
    )
    return [Words(words), Pictures(pictures)]


def _denoised_rows(facts: Facts) -> list[Block]:
    model, data = facts.subject.model, real_rows(facts)
    source, kind = unseen(facts, through.ROWS)
    found = through.through(model, source, through.curve_levels(model)).flat()
    pairs = rows.telling_pairs(data[:, :MOST_MARGINALS]) if data.shape[1] > 1 else [(0, 0)]
    columns = list(dict.fromkeys(j for pair in pairs for j in pair))[: through.CURVES]
    scale = np.stack([data.mean(0), np.where(data.std(0) > 0, data.std(0), 1.0)])
    pictures = [
        Picture(through.curves(found, k, column_names(facts), columns, scale))
        for k in range(len(found.clean))
    ]
    words = (
        f"{len(pictures)} {kind} rows with noise of level σ added, and what the model denoises "
        "them to, in standard deviations from the mean of the data. With much noise (left) it can "
        "say no more than the mean; with less it finds the row, whose own values are the dots at "
        "the right."
    )
    return [Words(words), Pictures(pictures, "large")]


def density(facts: Facts) -> Section | None:
    """The score and the log-density, where rows are of one or two numbers."""
    model, data = facts.subject.model, shuffled(real_rows(facts))
    names, given = column_names(facts), model.conditions is not None
    if given and model.configuration.training.condition_dropout == 0:
        return None  # of which there is no map: every row has a density of its own
    if data.shape[1] == 1 and (given or model.class_frequencies is None):
        samples = sample_rows(facts)[:, 0]
        curve = field.density_curve(model, names[0], data[:, 0], samples)
        return Section("density", "Density", [Pictures([Picture(curve)])])
    if data.shape[1] != 2:
        return None
    frame = field.frame_of(model, data, names)
    words = (
        "Arrows show the score ∇ log p at three noise levels: the direction in which rows get more "
        "probable, longer where it is steeper, on a root scale. Contours of log p at the lowest "
        "level enclose about 98, 90, 70, 50, 30 and 10 % of the rows. Levels are in standard "
        "deviations of the preprocessed rows."
    )
    words += " They are those of rows of which nothing is given." if given else ""
    blocks: list[Block] = [Words(words)]
    for name, chosen in _class_rows(facts, data):
        blocks.append(Pictures(_maps(facts, frame, chosen, name), "large"))
    return Section("density", "Score and density", blocks)


def _maps(facts: Facts, frame: field.Frame, data: Array, name: str | None) -> list[Picture]:
    model = facts.subject.model
    of = "" if name is None else f"Class {name}: "
    items = []
    for sigma in FIELD_LEVELS:
        level = float(np.clip(sigma, model.process.sigma_min, model.process.sigma_max))
        key = f"score-{level:g}-{name}"
        arrows = field.score_arrows(model, frame, data, level, name, key)
        items.append(Picture(arrows, f"{of}score at σ = {level:g}"))
    side = facts.effort.map_side
    found = field.contours(model, frame, data, side, name, f"contours-{name}")
    if found is not None:
        body, mass = found
        caption = (
            f"{of}log-density. It sums to {mass:.2f} over this frame, and ought to come near 1"
        )
        items.append(Picture(body, caption))
    return items


def _class_rows(facts: Facts, data: Array) -> list[tuple[str | None, Array]]:
    """All rows, or those of the most frequent classes, each with its name."""
    train, frequencies = facts.subject.train, facts.subject.model.class_frequencies
    label = facts.subject.model.schema.label
    conditional = facts.subject.model.conditions is not None
    if conditional or frequencies is None or label is None or train.labels is None:
        return [(None, data)]
    order = np.argsort(-np.array(frequencies), kind="stable")[:MOST_CLASSES]
    values = train.values.reshape(train.n, -1)
    return [(label.classes[c], values[train.labels == c]) for c in order.tolist()]
