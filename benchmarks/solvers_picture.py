"""The picture of `benchmarks.solvers`: quality against evaluations, and samples at ten of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scorematching.data.atomic import new_file

if TYPE_CHECKING:
    from benchmarks.solvers import Curve

COLOURS = ("#8a8f98", "#b07aa1", "#4e79a7", "#59a14f", "#edc948", "#f28e2b", "#d1603d", "#30343b")
MARKERS = "os^Dv<P>"
FLOOR = 1e-5  # distances below, or negative, are drawn here
SHOWN = 3000  # samples of a scatter


def save(
    path: Path,
    panels: Mapping[str, Sequence[Curve]],
    limit: float,
    truth: NDArray[np.float64],
    ends: Mapping[str, NDArray[np.float64]],
) -> None:
    """Draw one panel of curves for each kind of way, and below them the truth and samples."""
    figure = Figure(figsize=(12, 9.2), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    for i, (title, curves) in enumerate(panels.items()):
        axes = above.add_subplot(1, len(panels), i + 1)
        _curves(axes, curves, limit)
        axes.set_title(title, loc="left")
        if i == 0:
            axes.set_ylabel("energy distance to the truth")
    scatters = {"truth": truth, **ends}
    for i, (name, rows) in enumerate(scatters.items()):
        axes = below.add_subplot(1, len(scatters), i + 1)
        _scatter(axes, rows[:SHOWN])
        axes.set_title(name if name == "truth" else f"{name}, 10 evaluations", loc="left")
    with new_file(path, overwrite=True) as temporary, temporary.open("wb") as file:
        figure.savefig(file, format="png")


def _curves(axes: Axes, curves: Sequence[Curve], limit: float) -> None:
    for curve, colour, marker in zip(curves, COLOURS, MARKERS, strict=False):
        heights = np.maximum(curve.distances, FLOOR)
        adaptive = curve.name.startswith("adaptive")
        axes.plot(
            curve.evaluations, heights, color=colour, marker=marker, markersize=5,
            linewidth=1.6, linestyle="--" if adaptive else "-", label=curve.name,
        )  # fmt: skip
    axes.axhspan(FLOOR / 2, limit, color="#59a14f", alpha=0.12, linewidth=0)
    axes.text(
        0.01, 0.02, "within the 95th percentile of truth\nagainst truth; 10⁻⁵ and below as one",
        transform=axes.transAxes, ha="left", va="bottom", fontsize=8.5, color="#3a7034",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(FLOOR * 0.8, 3)
    axes.set_xlim(4.5, 130)
    ticks = (5, 10, 20, 50, 100)
    axes.set_xticks(ticks, [str(each) for each in ticks])
    axes.minorticks_off()
    axes.set_xlabel("evaluations of the score")
    axes.legend(frameon=False, fontsize=8.5, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)


def _scatter(axes: Axes, rows: NDArray[np.float64]) -> None:
    axes.scatter(rows[:, 0], rows[:, 1], s=2, alpha=0.4, color="#30343b", linewidths=0)
    axes.set_aspect("equal")
    axes.set_xlim(-3.2, 3.2)
    axes.set_ylim(-3.2, 3.2)
    axes.set_axis_off()
