"""Columns of data beside those of samples: one by one, and two by two."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from scorematching.report.svg import (
    DATA,
    NAME,
    SAMPLE,
    SMALL,
    WIDE,
    few_ticks,
    label,
    margins,
    panel,
    short,
    svg,
)

Array = NDArray[np.float64]

DOTS = 300  # of each kind in a panel
TAILS = (0.002, 0.998)  # quantiles that a picture reaches to
BINS = 22
MAX_PAIRS = 6
PANELS_A_COLUMN = 2


def marginal(name: str, data: Array, samples: Array, *, whole: bool, key: str) -> Markup:
    """Histograms ``(n,)`` and ``(m,)`` of one column: samples filled, data as a line."""
    (axes,) = panel(SMALL, 96)
    low, high = limits(data, samples)
    edges = bins(low, high, whole=whole)
    clipped = [np.clip(each, edges[0], edges[-1]) for each in (samples, data)]
    axes.hist(clipped[0], edges.tolist(), density=True, color=SAMPLE, alpha=0.5, linewidth=0)
    axes.hist(clipped[1], edges.tolist(), density=True, histtype="step", color=DATA, linewidth=1.2)
    axes.spines["left"].set_visible(False)
    few_ticks(axes, 3, 0)
    label(axes, title=short(name, NAME))
    margins(axes, 6, 8, 15, 14)
    alt = (
        f"Histograms of {name}: data with mean {data.mean():.4g} and standard deviation "
        f"{data.std():.3g}, samples with mean {samples.mean():.4g} and {samples.std():.3g}."
    )
    return svg(axes, alt, key)


def pair(names: tuple[str, str], data: Array, samples: Array, key: str) -> Markup:
    """Two columns ``(n, 2)`` and ``(m, 2)`` against each other: data left, samples right."""
    axes = panel(WIDE, 172, columns=2)
    for each, rows, colour, title in (
        (axes[0], data, DATA, "data"),
        (axes[1], samples, SAMPLE, "samples"),
    ):
        _dots(each, rows, colour)
        few_ticks(each, 3, 4)
        label(each, title=title)
    label(axes[0], y=short(names[1], NAME))
    axes[0].figure.supxlabel(
        short(names[0], NAME), x=0.56, y=0.005, fontsize=8.5, color=axes[0].yaxis.label.get_color()
    ).set_parse_math(False)
    for k, set_limits in ((0, axes[0].set_xlim), (1, axes[0].set_ylim)):
        low, high = limits(data[:, k], samples[:, k])
        gap = 0.04 * (high - low)
        set_limits(low - gap, high + gap)
    axes[1].tick_params(labelleft=False)
    margins(axes[0], 44, 8, 16, 30, gap=12)
    alt = (
        f"{names[1]} against {names[0]}, data beside samples: correlation "
        f"{correlation(data):.2f} in the data and {correlation(samples):.2f} in the samples."
    )
    return svg(axes[0], alt, key)


def _dots(axes: Axes, rows: Array, colour: str) -> None:
    shown = rows[:DOTS]
    axes.plot(
        shown[:, 0], shown[:, 1], linestyle="none", marker="o",
        markersize=2.6, markeredgewidth=0, color=colour, alpha=0.55,
    )  # fmt: skip


def limits(*rows: Array) -> tuple[float, float]:
    """A range that leaves out the farthest few of all values, and is not empty."""
    spans = [np.quantile(each, TAILS) for each in rows]
    low, high = float(min(s[0] for s in spans)), float(max(s[1] for s in spans))
    if not low < high:
        half = 0.5 * max(abs(low), 1.0)
        return low - half, high + half
    return low, high


def bins(low: float, high: float, *, whole: bool) -> Array:
    """Edges of bins; between whole numbers, as many of them a bin, for a column of those."""
    if not whole:
        return np.linspace(low, high, BINS + 1)
    low, high = np.floor(low), np.ceil(high)
    step = max(1.0, np.ceil((high - low + 1) / BINS))
    return np.arange(low - 0.5, high + step, step)


def correlation(rows: Array) -> float:
    """Pearson's correlation of two columns ``(n, 2)``; 0 where one is constant."""
    centred = rows - rows.mean(0)
    scale = float(np.sqrt((centred**2).sum(0).prod()))
    return float(centred.prod(1).sum()) / scale if scale > 0 else 0.0


def telling_pairs(data: Array, count: int = MAX_PAIRS) -> list[tuple[int, int]]:
    """The pairs of columns of rows ``(n, d)`` that depend on each other most, by rank correlation.

    No column comes more than twice, so that one group of columns does not take all the room, as
    long as there are others.
    """
    d = data.shape[1]
    ranks = data.argsort(0).argsort(0).astype(np.float64)
    centred = ranks - ranks.mean(0)
    scale = np.sqrt((centred**2).sum(0))
    strength = np.abs(centred.T @ centred) / np.outer(scale, scale)
    first, second = np.triu_indices(d, 1)
    order = np.argsort(-strength[first, second], kind="stable")
    ranked = [(int(first[k]), int(second[k])) for k in order]
    chosen: list[tuple[int, int]] = []
    uses = np.zeros(d, dtype=np.int64)
    for i, j in ranked:
        if len(chosen) < count and max(uses[i], uses[j]) < PANELS_A_COLUMN:
            chosen.append((i, j))
            uses[[i, j]] += 1
    return chosen
