"""Rows of two numbers: the score as arrows and the log-density as contours; of one: a curve."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.interpolate import RectBivariateSpline

from scorematching.configuration import overridden
from scorematching.data import TableSchema
from scorematching.fitted import FittedScore
from scorematching.preprocessing import one_scale
from scorematching.report.effort import MAP_STEPS
from scorematching.report.rows import limits
from scorematching.report.svg import (
    DATA,
    MUTED,
    SAMPLE,
    STEPS,
    few_ticks,
    label,
    legend,
    margins,
    panel,
    svg,
)

Array = NDArray[np.float64]

ARROWS = 15  # along a side
DOTS = 400
SHARES = (0.98, 0.9, 0.7, 0.5, 0.3, 0.1)  # of the data's rows that contours hold
ROOM = 0.12  # around the data
CURVE_POINTS = 160
FINER = 4  # log p is smooth: a cubic spline through the points of the map draws round contours
BELOW = 20.0  # nats below the outermost contour, where the density is as good as nothing


@dataclass(frozen=True, eq=False)
class Frame:
    """What is shown of the line or the plane: names ``(d,)`` and limits ``(d, 2)``."""

    names: tuple[str, ...]
    span: Array

    def axis(self, j: int, count: int) -> Array:
        """Points along an axis, from one limit to the other."""
        low, high = self.span[j].tolist()
        return np.linspace(low, high, count)

    def grid(self, side: int) -> Array:
        """Points of the plane ``(side · side, 2)``, x fastest."""
        x, y = self.axis(0, side), self.axis(1, side)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def frame_of(model: FittedScore, rows: Array, names: Sequence[str]) -> Frame:
    """The data ``(n, d)`` with some room around, but not beyond declared bounds."""
    span = np.empty((rows.shape[1], 2))
    for j in range(rows.shape[1]):
        low, high = limits(rows[:, j])
        room, inside = ROOM * (high - low), 1e-3 * (high - low)
        span[j] = low - room, high + room
        if isinstance(model.schema, TableSchema):
            column = model.schema.modelled[j]
            least = -np.inf if column.low is None else column.low + inside
            most = np.inf if column.high is None else column.high - inside
            span[j] = np.clip(span[j], least, most)
    return Frame(tuple(names), span)


def score_arrows(
    model: FittedScore, frame: Frame, rows: Array, sigma: float, label_of: str | None, key: str
) -> Markup:
    """∇ log p at one noise level over the data, the arrows' length on a root scale.

    sigma is the level of the preprocessed rows; label_of a class, for a model with labels.
    """
    points = frame.grid(ARROWS)
    score = np.asarray(_score(model, points, sigma, label_of))
    unit = np.diff(frame.span, axis=1)[:, 0]
    slope = score * unit  # in units of the picture, so that both axes count alike
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    arrows = slope / np.maximum(length, 1e-300) * np.sqrt(length / max(length.max(), 1e-300))
    (axes,) = panel(height=250)
    _dots(axes, rows)
    axes.quiver(
        points[:, 0], points[:, 1], *(arrows * unit / ARROWS * 0.95).T, angles="xy",
        scale_units="xy", scale=1, color=SAMPLE, width=0.0045, headwidth=4, headlength=4,
        headaxislength=3.5,
    )  # fmt: skip
    _finish(axes, frame)
    of = "" if label_of is None else f" of class {label_of}"
    alt = (
        f"Arrows of the score{of} at noise level {sigma:.2g} over {frame.names[0]} and "
        f"{frame.names[1]}: they point to where rows are dense."
    )
    return svg(axes, alt, key)


def contours(
    model: FittedScore, frame: Frame, rows: Array, side: int, label_of: str | None, key: str
) -> tuple[Markup, float] | None:
    """Contours of log p that hold 10 to 98% of the rows, and the probability within the frame.

    None where the log-density is finite nowhere.
    """
    points = frame.grid(side)
    coarse = overridden(model.configuration, {"likelihood": {"n_steps": MAP_STEPS}}, "the map")
    quick = dataclasses.replace(model, configuration=coarse)
    values = _log_density(quick, np.concatenate([points, rows[:DOTS]]), label_of)
    heights, at_rows = values[: len(points)], values[len(points) :]
    if not np.isfinite(heights).any() or not np.isfinite(at_rows).any():
        return None
    levels = np.unique(np.quantile(at_rows[np.isfinite(at_rows)], [1 - s for s in SHARES]))
    low = float(levels[0]) - BELOW
    kept = np.where(heights > low, heights, low).reshape(side, side)  # not a number: not above
    spline = RectBivariateSpline(frame.axis(1, side), frame.axis(0, side), kept)
    x, y = frame.axis(0, FINER * side), frame.axis(1, FINER * side)
    surface = spline(y, x)
    mass = float(trapezoid(trapezoid(np.exp(surface), x, axis=1), y))
    (axes,) = panel(height=250)
    _dots(axes, rows)
    axes.contour(
        x, y, surface, levels=levels.tolist(), colors=[*STEPS][: len(levels)], linewidths=1.2
    )
    _finish(axes, frame)
    of = "" if label_of is None else f" of class {label_of}"
    alt = (
        f"Contours of the log-density{of} over {frame.names[0]} and {frame.names[1]}, around "
        f"{', '.join(f'{100 * s:.0f}' for s in SHARES)} % of the rows."
    )
    return svg(axes, alt, key), mass


def density_curve(model: FittedScore, name: str, data: Array, samples: Array) -> Markup:
    """One column: the model's density as a curve over histograms of data and samples ``(n,)``."""
    points = frame_of(model, data[:, None], [name]).axis(0, CURVE_POINTS)
    density = np.exp(_log_density(model, points[:, None], None))
    (axes,) = panel(height=210)
    low, high = limits(data, samples)
    edges = np.linspace(low, high, 33).tolist()
    axes.hist(samples, edges, density=True, color=SAMPLE, alpha=0.35, linewidth=0)
    axes.hist(data, edges, density=True, histtype="step", color=DATA, linewidth=1.2)
    axes.plot(points, density, color=STEPS[1], linewidth=1.6)
    few_ticks(axes)
    legend(axes, [(DATA, "data"), (SAMPLE, "samples"), (STEPS[1], "density of the model")])
    label(axes, name, "density")
    margins(axes, 42, 8, 20, 28)
    alt = (
        f"The model's density of {name}, highest at {points[int(np.nanargmax(density))]:.4g}, "
        "over histograms of data and samples."
    )
    return svg(axes, alt, "density-curve")


def _score(model: FittedScore, points: Array, sigma: float, label_of: str | None) -> Array:
    rows = _as_rows(model, points)
    unit = 1.0
    if one_scale(model.schema):  # there levels are in the units of the data
        origin = torch.zeros(1, *model.schema.event, dtype=torch.float64)
        unit = float(torch.exp(-model.transform.log_abs_det_jacobian(origin) / points.shape[1]))
    found: Array = model.score(rows, sigma * unit, **_told(model, label_of))
    return found.reshape(points.shape)


def _told(model: FittedScore, label_of: str | None) -> dict[str, Any]:
    """The class of all points; nothing, for a model with a condition: the map is of all rows."""
    return {"labels": label_of} if model.conditions is None else {"guidance": 0}


def _log_density(model: FittedScore, points: Array, label_of: str | None) -> Array:
    found: Array = model.log_density(_as_rows(model, points), **_told(model, label_of))
    return found


def _as_rows(model: FittedScore, points: Array) -> Array:
    return points.reshape(len(points), *model.schema.event)


def _dots(axes: Axes, rows: Array) -> None:
    axes.plot(
        rows[:DOTS, 0], rows[:DOTS, 1], linestyle="none", marker="o", markersize=2.2,
        markeredgewidth=0, color=MUTED, alpha=0.45,
    )  # fmt: skip


def _finish(axes: Axes, frame: Frame) -> None:
    axes.set_xlim(*frame.span[0])
    axes.set_ylim(*frame.span[1])
    few_ticks(axes)
    label(axes, frame.names[0], frame.names[1])
    margins(axes, 42, 8, 6, 28)
