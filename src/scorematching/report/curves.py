"""The losses of a run: over its steps, and by noise level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from scorematching.report.facts import Facts, Losses
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
    svg,
)

Array = NDArray[np.float64]

BINS = 150  # points of a curve at most
LEVELS_OVER_TIME = 5
SPREAD = (0.1, 0.9)  # quantiles of the losses of the steps that one point stands for


def training_loss(records: Sequence[Mapping[str, Any]]) -> Markup | None:
    """The loss of the batches over the steps: a mean of neighbouring ones, and their spread."""
    steps, losses = series(records, "loss")
    if len(steps) < 2:
        return None
    (axes,) = panel()
    at, mean, low, high = binned(steps, losses)
    axes.fill_between(at, low, high, color=DATA, alpha=0.18, linewidth=0)
    axes.plot(at, mean, color=DATA, linewidth=1.3)
    axes.set_ylim(*_span(np.concatenate([low, high])))
    few_ticks(axes)
    _rules(axes)
    label(axes, "step", "loss of a batch")
    margins(axes, 42, 8, 8, 28)
    alt = (
        f"Training loss over {int(steps[-1]):,} steps: from {mean[0]:.3g} at the start to "
        f"{mean[-1]:.3g} at the end."
    )
    return svg(axes, alt, "training-loss")


def validation(records: Sequence[Mapping[str, Any]]) -> Markup | None:
    """The held-out log-density over the steps, in preprocessed units, the best one marked."""
    steps, values = series(records, "validation")
    if len(steps) < 2:
        return None
    (axes,) = panel()
    gains = -values
    best = int(gains.argmax())
    axes.plot(steps, gains, color=SAMPLE, linewidth=1.3, marker="o", markersize=3)
    axes.plot(
        steps[best], gains[best], marker="o", markersize=7, color=SAMPLE,
        markerfacecolor="none", linestyle="none",
    )  # fmt: skip
    few_ticks(axes)
    _rules(axes)
    label(axes, "step", "nats a row, held out")
    margins(axes, 42, 8, 8, 28)
    alt = (
        f"Log-density of held-out rows at {len(steps)} checks: best at step {int(steps[best]):,}, "
        f"{gains[best]:.4g} nats a row in preprocessed units."
    )
    return svg(axes, alt, "validation")


def by_level(facts: Facts) -> Markup:
    """The loss at each noise level as a share of the Gaussian's, held-out and training rows."""
    (axes,) = panel()
    entries = []
    words = []
    shown: list[tuple[str, str, Losses | None]] = [
        (DATA, "training rows", facts.losses_train),
        (SAMPLE, "held-out rows", facts.losses_held_out),
    ]
    for colour, name, losses in shown:
        if losses is None:
            continue
        ratio, error = (100 * each for each in losses.ratio())
        axes.fill_between(
            facts.levels, ratio - error, ratio + error, color=colour, alpha=0.18, linewidth=0
        )
        axes.plot(facts.levels, ratio, color=colour, linewidth=1.3, marker="o", markersize=2.6)
        entries.append((colour, name))
        low = int(ratio.argmin())
        words.append(f"{name} lowest at {ratio[low]:.0f} % at σ = {facts.levels[low]:.2g}")
    _gaussian_line(axes)
    logarithmic(axes)
    few_ticks(axes, x=None)
    legend(axes, entries)
    label(axes, "noise level σ", "% of a Gaussian's loss")
    margins(axes, 42, 8, 20, 28)
    return svg(axes, f"Loss by noise level: {', '.join(words)}.", "loss-by-level")


def by_level_over_time(facts: Facts) -> Markup | None:
    """The held-out loss at some noise levels over the checks, as shares of the Gaussian's."""
    logged = [(r["step"], r["level_losses"]) for r in facts.subject.records if _has_levels(r)]
    if len(logged) < 2 or facts.losses_held_out is None or not facts.subject.chose:
        return None
    gaussian = facts.losses_held_out.gaussian.mean(1)
    table = np.array([[loss for _, loss in pairs] for _, pairs in logged], dtype=np.float64)
    if table.shape[1] != len(gaussian):
        return None
    (axes,) = panel()
    steps = [int(step) for step, _ in logged]
    picked = np.linspace(0, len(gaussian) - 1, LEVELS_OVER_TIME).round().astype(int)
    entries = []
    for k, colour in zip(picked.tolist(), STEPS, strict=False):
        axes.plot(steps, 100 * table[:, k] / gaussian[k], color=colour, linewidth=1.3)
        entries.append((colour, f"{facts.levels[k]:.2g}"))
    _gaussian_line(axes)
    few_ticks(axes)
    legend(axes, entries, columns=LEVELS_OVER_TIME)
    label(axes, "step", "% of a Gaussian's loss")
    margins(axes, 42, 8, 20, 28)
    last = ", ".join(
        f"{100 * table[-1, k] / gaussian[k]:.0f} % at σ = {facts.levels[k]:.2g}" for k in picked
    )
    return svg(axes, f"Held-out loss by noise level over the steps; at the end {last}.", "levels")


def series(records: Sequence[Mapping[str, Any]], name: str) -> tuple[Array, Array]:
    """Steps and the values of a field where it is known, ``(k,)`` each."""
    found = [(r["step"], r[name]) for r in records if r.get(name) is not None]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def binned(steps: Array, values: Array) -> tuple[Array, Array, Array, Array]:
    """Middle steps, means, and 10% and 90% quantiles of up to 150 stretches of a curve."""
    parts = np.array_split(np.arange(len(steps)), min(BINS, len(steps)))
    low, high = np.array([np.quantile(values[part], SPREAD) for part in parts]).T
    at = np.array([steps[part].mean() for part in parts])
    return at, np.array([values[part].mean() for part in parts]), low, high


def _has_levels(record: Mapping[str, Any]) -> bool:
    pairs = record.get("level_losses") or []
    return bool(pairs) and all(loss is not None for _, loss in pairs)


def _span(values: Array) -> tuple[float, float]:
    """A range that a few wild batches do not decide."""
    low, high = float(values.min()), float(np.quantile(values, 0.985))
    gap = 0.08 * (high - low) or 0.5 * max(abs(low), 1e-12)
    return low - gap, high + gap


def _gaussian_line(axes: Axes) -> None:
    axes.axhline(100, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 95), max(high, 103))
    _rules(axes)


def _rules(axes: Axes) -> None:
    axes.grid(axis="y", color=GRID, linewidth=0.6)
