"""The picture of the first-light demo: data beside samples, images above and a table below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from scorematching.data.atomic import new_file
from scorematching.errors import InvalidInput

ROWS, COLUMNS = 6, 15
DATA_COLOUR, SAMPLE_COLOUR = "#30343b", "#d1603d"
GAP_COLOUR = "#dfe1e5"
DPI = 150
TITLE = 12.5  # points
LEFT = 0.012  # of the width


@dataclass(frozen=True, eq=False)
class Pair:
    """Data and samples of the same kind, ``(n, *event)`` and ``(m, *event)``, and their name."""

    name: str
    data: NDArray[np.float64]
    samples: NDArray[np.float64]


def first_light(
    images: Pair,
    table: Pair,
    columns: Sequence[str],
    scatters: Sequence[tuple[str, str]],
    histograms: Sequence[str],
) -> Figure:
    """Two grids of images side by side; below, scatters and histograms of a table's columns.

    Parameters
    ----------
    images
        Grey images ``(n, 1, H, W)``; the first 6 × 15 of each kind are shown.
    table
        Rows ``(n, d)``.
    columns
        Names of the d columns.
    scatters, histograms
        Pairs of names, and names, of the columns to show.

    Raises
    ------
    InvalidInput
        A name is none of the columns.
    """
    index = {name: j for j, name in enumerate(columns)}
    unknown = [name for name in (*sum(scatters, ()), *histograms) if name not in index]
    if unknown:
        raise InvalidInput(f"{unknown} are none of the columns {list(columns)}.")
    figure = Figure(figsize=(12, 6.1), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.75, 3.35))[:, 0]
    _grids(above, images)
    panels = below.subplots(1, len(scatters) + len(histograms))
    below.subplots_adjust(left=0.058, right=0.988, top=0.85, bottom=0.155, wspace=0.3)
    for axes, (x, y) in zip(panels[: len(scatters)], scatters, strict=True):
        _scatter(axes, table, (index[x], index[y]), (x, y))
    for axes, name in zip(panels[len(scatters) :], histograms, strict=True):
        _histogram(axes, table, index[name], name)
    counts = f"{len(table.data):,} rows of data, {len(table.samples):,} samples"
    below.suptitle(f"{table.name}: {counts}", x=LEFT, y=0.965, ha="left", fontsize=TITLE)
    patches = [Patch(color=DATA_COLOUR, label="data"), Patch(color=SAMPLE_COLOUR, label="samples")]
    below.legend(
        handles=patches, loc="upper right", bbox_to_anchor=(0.995, 1.0), ncols=2, frameon=False,
        handlelength=0.9, handleheight=0.9, fontsize=TITLE - 1,
    )  # fmt: skip
    return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file, whole or not at all; what stood there is replaced."""
    with new_file(path, overwrite=True) as temporary, temporary.open("wb") as file:
        figure.savefig(file, format="png", dpi=DPI)


def montage(images: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Images ``(n, 1, H, W)`` in a grid of 6 × 15 with lines of the value gap between them."""
    n, _, height, width = images.shape
    grid = np.full((ROWS * (height + 1) - 1, COLUMNS * (width + 1) - 1), gap)
    for k in range(min(n, ROWS * COLUMNS)):
        top, left = k // COLUMNS * (height + 1), k % COLUMNS * (width + 1)
        grid[top : top + height, left : left + width] = images[k, 0]
    return grid


def _grids(figure: SubFigure, images: Pair) -> None:
    low, high = float(images.data.min()), float(images.data.max())
    colours = colormaps["gray_r"].with_extremes(bad=GAP_COLOUR)
    width = 0.4855
    for left, each, word in (
        (LEFT, images.data, f"{len(images.data):,} images of data"),
        (1 - LEFT - width, images.samples, "samples"),
    ):
        axes = figure.add_axes((left, 0.0, width, 0.875))
        grid = montage(each, np.nan)
        axes.imshow(grid, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(f"{images.name}: {word}", loc="left", fontsize=TITLE)
        axes.set_axis_off()


def _scatter(axes: Axes, table: Pair, columns: tuple[int, int], names: tuple[str, str]) -> None:
    x, y = columns
    axes.scatter(
        table.samples[:, x], table.samples[:, y],
        s=9, alpha=0.45, color=SAMPLE_COLOUR, linewidths=0, rasterized=True,
    )  # fmt: skip
    axes.scatter(
        table.data[:, x], table.data[:, y],
        s=11, alpha=0.9, color=DATA_COLOUR, linewidths=0, rasterized=True,
    )  # fmt: skip
    _finish(axes, names[0], names[1])


def _histogram(axes: Axes, table: Pair, column: int, name: str) -> None:
    data, samples = table.data[:, column], table.samples[:, column]
    both = np.concatenate([data, samples])
    low, high = np.quantile(both, [0.002, 0.998]).tolist()
    edges = np.linspace(low, high, 18).tolist()
    axes.hist(samples, edges, density=True, color=SAMPLE_COLOUR, alpha=0.45, linewidth=0)
    axes.hist(data, edges, density=True, histtype="step", color=DATA_COLOUR, linewidth=1.5)
    axes.set_yticks([])
    _finish(axes, name, "density")


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x.replace("_", " "))
    axes.set_ylabel(y.replace("_", " "))
    axes.spines[["top", "right"]].set_visible(False)
