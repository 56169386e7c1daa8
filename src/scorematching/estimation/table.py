"""The table of an estimate, as regression tables are laid out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One parameter; without a standard error it was fixed, or none is known."""

    name: str
    estimate: float
    error: float | None = None
    interval: tuple[float, float] | None = None

    def cells(self) -> tuple[str, ...]:
        """Name, estimate, SE, z, p of θ = 0, and the ends of the interval."""
        if self.error is None or self.interval is None:
            return (self.name, number(self.estimate), "", "", "", "", "")
        z = self.estimate / self.error if self.error > 0 else math.copysign(math.inf, self.estimate)
        low, high = (number(each) for each in self.interval)
        return self.name, number(self.estimate), number(self.error), f"{z:.2f}", p_of(z), low, high


def table(rows: Sequence[Row], level: float) -> str:
    """Rows under a head, columns aligned to the right."""
    percent = f"{100 * level:g}%"
    head = ("", "estimate", "std. error", "z", "P>|z|", f"[{percent}", "interval]")
    cells = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[j]) for line in cells) for j in range(len(head))]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in cells
    ]
    rule = "─" * max(map(len, lines))
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def number(value: float) -> str:
    """Six significant digits, zeros kept so that columns line up."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    return f"{value:.5e}" if size < -4 or size > 5 else f"{value:.{max(0, 5 - size)}f}"


def p_of(z: float) -> str:
    """P(|Z| > |z|), Z standard normal."""
    p = math.erfc(abs(z) / math.sqrt(2))
    return "<0.001" if p < 0.001 else f"{p:.3f}"
