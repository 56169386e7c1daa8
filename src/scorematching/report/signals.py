"""Rows that are signals or sequences, drawn as lines over their coordinates."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from scorematching.report.svg import STEPS, few_ticks, label, margins, panel, svg

Array = NDArray[np.float64]

LINES = 5
POINTS = 400  # of a line at most


def lines(rows: Array, what: str, key: str, of: str = "") -> Markup:
    """The first few rows ``(n, d)``, number by number; of says which part of a row they are."""
    (axes,) = panel()
    d = rows.shape[1]
    at = np.unique(np.linspace(0, d - 1, min(d, POINTS)).round().astype(np.int64))
    for row, colour in zip(rows[:LINES], STEPS, strict=False):
        axes.plot(at, row[at], color=colour, linewidth=1.0)
    few_ticks(axes)
    label(axes, "coordinate", "value", title=f"{what}{of}")
    margins(axes, 42, 8, 16, 28)
    shown = min(LINES, len(rows))
    return svg(axes, f"{shown} rows of {what}{of} as lines over their {d} coordinates.", key)
