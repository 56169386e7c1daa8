"""A few rows denoised at every noise level, as numbers on curves or as images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray

from scorematching.batched import denoised
from scorematching.conditioning import prepared
from scorematching.data import Dataset
from scorematching.denoising import spread_levels
from scorematching.fitted import FittedScore
from scorematching.random import normal, seeded
from scorematching.report.images import bytes_of, img
from scorematching.report.svg import (
    DATA,
    GRID,
    MUTED,
    SAMPLE,
    STEPS,
    few_ticks,
    label,
    legend,
    logarithmic,
    margins,
    panel,
    short,
    svg,
)

Array = NDArray[np.float64]

ROWS = 4
CURVE_LEVELS, IMAGE_LEVELS = 25, 6
CURVES = 6
ARROWS = 45
NEAR = (0.02, 0.98)  # quantiles of the noised rows that a picture reaches to
IMAGE_RANGE = (0.1, 10.0)  # of σ, for images: below nothing is seen, above nothing changes


@dataclass(frozen=True, eq=False)
class Through:
    """Rows with noise added, and with it taken away again, in the units of the data.

    Attributes
    ----------
    levels
        Noise levels, of the preprocessed rows.
    clean
        ``(n, *event)``.
    noised, denoised
        ``(levels, n, *event)``; the noise is one draw a row, scaled by the level.
    """

    levels: tuple[float, ...]
    clean: Array
    noised: Array
    denoised: Array

    def flat(self) -> Through:
        """The same with the numbers of a row on one axis."""
        count, n = self.noised.shape[:2]
        both = (each.reshape(count, n, -1) for each in (self.noised, self.denoised))
        return Through(self.levels, self.clean.reshape(n, -1), *both)


def through(model: FittedScore, rows: Dataset, levels: tuple[float, ...], seed: int = 0) -> Through:
    """Add noise to rows and denoise them, at each of some levels."""
    y = model.transform.forward(torch.from_numpy(rows.values))
    z = normal(tuple(y.shape), y, seeded(seed, "through the levels"))
    like = model.denoiser.base.mean
    values = torch.from_numpy(rows.values)
    _, *given = prepared(model.transform, values, rows, model.conditions, like)
    noised = [y + level * z for level in levels]
    clean = [
        denoised(model.denoiser, each, s, tuple(given))
        for each, s in zip(noised, levels, strict=True)
    ]
    return Through(
        levels,
        rows.values,
        np.stack([model.transform.inverse(each).numpy() for each in noised]),
        np.stack([model.transform.inverse(each).numpy() for each in clean]),
    )


def curve_levels(model: FittedScore) -> tuple[float, ...]:
    """Noise levels for curves."""
    return spread_levels(model.process, CURVE_LEVELS)


def image_levels(model: FittedScore) -> tuple[float, ...]:
    """Noise levels for images: those that change what is seen, the highest first."""
    low = max(IMAGE_RANGE[0], model.process.sigma_min)
    high = min(IMAGE_RANGE[1], model.process.sigma_max)
    return tuple(np.geomspace(high, low, IMAGE_LEVELS).tolist())


def curves(found: Through, k: int, names: list[str], columns: list[int], scale: Array) -> Markup:
    """What row k is denoised to at every level, some of its columns, the row itself at the right.

    Parameters
    ----------
    found
        Rows ``(n, d)``.
    k
        The number of the row.
    names, columns
        Names of all columns, and which to show.
    scale
        Mean and standard deviation of each column, ``(2, d)``: the curves are in those units.
    """
    (axes,) = panel()
    mean, spread = scale
    entries = []
    words = []
    for j, colour in zip(columns, STEPS, strict=False):
        values = (found.denoised[:, k, j] - mean[j]) / spread[j]
        axes.plot(found.levels, values, color=colour, linewidth=1.3)
        truth = (found.clean[k, j] - mean[j]) / spread[j]
        axes.plot(
            found.levels[0], truth, marker="o", markersize=4, color=colour,
            linestyle="none", clip_on=False,
        )  # fmt: skip
        entries.append((colour, short(names[j], 18)))
        words.append(f"{names[j]} {found.clean[k, j]:.4g}")
    axes.axhline(0, color=MUTED, linewidth=0.6)
    logarithmic(axes)
    axes.invert_xaxis()
    few_ticks(axes, x=None)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    per_line = 2 if max(len(name) for _, name in entries) > 9 else 3
    lines = -(-len(entries) // per_line)
    legend(axes, entries, columns=per_line)
    label(axes, "noise level σ, less to the right", "standard deviations")
    margins(axes, 42, 10, 8 + 12.5 * lines, 28)
    alt = (
        f"Row {k + 1} denoised at {len(found.levels)} noise levels: from the mean of the data at "
        f"the highest to its own values at the lowest, {', '.join(words)}."
    )
    return svg(axes, alt, f"through-{k}")


def arrows(found: Through, k: int, names: tuple[str, str], span: Array) -> Markup:
    """Rows in the plane with the noise of level k, and where the model would put them.

    span holds the limits of the two axes, ``(2, 2)``, at least.
    """
    (axes,) = panel(height=235)
    start, end = found.noised[k][:ARROWS], found.denoised[k][:ARROWS]
    moved = end - start
    axes.quiver(
        start[:, 0], start[:, 1], moved[:, 0], moved[:, 1], angles="xy", scale_units="xy",
        scale=1, color=MUTED, width=0.0035, headwidth=4, alpha=0.5,
    )  # fmt: skip
    for rows, colour, size in (
        (start, MUTED, 2.0), (found.clean[:ARROWS], DATA, 3.2), (end, SAMPLE, 3.2),
    ):  # fmt: skip
        axes.plot(
            rows[:, 0], rows[:, 1], linestyle="none", marker="o", markersize=size,
            markeredgewidth=0, color=colour, alpha=0.85,
        )  # fmt: skip
    for j, set_limits in ((0, axes.set_xlim), (1, axes.set_ylim)):
        low, high = np.quantile(start[:, j], NEAR)
        room = 0.05 * (high - low)
        set_limits(min(span[j, 0], low - room), max(span[j, 1], high + room))
    few_ticks(axes)
    legend(axes, [(DATA, "row"), (MUTED, "noised"), (SAMPLE, "denoised")])
    label(axes, names[0], names[1])
    margins(axes, 42, 8, 20, 28)
    error = [float(np.sqrt(((rows - found.clean[:ARROWS]) ** 2).mean())) for rows in (start, end)]
    alt = (
        f"{len(start)} rows with noise of level {found.levels[k]:.2g} and the model's guess of "
        f"where they were: off by {error[0]:.3g} on average before, {error[1]:.3g} after."
    )
    return svg(axes, alt, f"arrows-{k}")


def image_rows(found: Through, span: tuple[float, float]) -> list[list[tuple[Markup, Markup]]]:
    """For every image and level: with noise, and with it taken away."""
    table = []
    for k in range(len(found.clean)):
        cells = []
        for m, level in enumerate(found.levels):
            pair = []
            for rows, what in ((found.noised, "noised"), (found.denoised, "denoised")):
                alt = f"image {k + 1}, {what} at σ = {level:.2g}"
                pair.append(img(bytes_of(rows[m, k : k + 1], span)[0], alt, "cell"))
            cells.append((pair[0], pair[1]))
        table.append(cells)
    return table
