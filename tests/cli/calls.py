"""What the tests of the command line share: how a command ended, small settings, a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

TINY = {
    "net": {"type": "ResidualMLP", "width": 8, "n_blocks": 1},
    "training": {"n_members": 1},
    "sampling": {"n_evaluations": 6},
    "likelihood": {"n_steps": 4},
}
TINY_IMAGES = {
    "net": {"type": "UNet", "channels": [8]},
    "training": {"batch_size": 16},
    "sampling": {"n_evaluations": 3},
}
STEPS = 12


@dataclass(frozen=True)
class Call:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON object; NaN and Infinity are no JSON."""

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        return json.loads(self.out, parse_constant=refuse)

    @property
    def error(self) -> str:
        """The last line on standard error."""
        return self.err.splitlines()[-1]


Cli = Callable[..., Call]


def rows(n: int = 80) -> dict[str, list[Any]]:
    """Columns of every kind, the label in their middle: whole, positive, bounded, free."""
    rng = np.random.default_rng(5)
    z = rng.standard_normal((n, 3))
    kind = rng.integers(0, 2, n)
    return {
        "count": np.rint(20 + 4 * z[:, 0]).astype(int).tolist(),
        "price, net": np.exp(0.4 * z[:, 1] + 0.3 * z[:, 0]).tolist(),
        "kind": [("red", "white")[k] for k in kind],
        "share": (1 / (1 + np.exp(-z[:, 2] - kind))).tolist(),
        "Größe": (3 * z[:, 2] + z[:, 1]).tolist(),
    }


def csv_text(columns: dict[str, list[Any]], delimiter: str = ",") -> str:
    """Columns as CSV, names with a comma in quotes."""
    names = [f'"{name}"' if delimiter in name else name for name in columns]
    lines = [names, *([str(cell) for cell in row] for row in zip(*columns.values(), strict=True))]
    return "\n".join(delimiter.join(line) for line in lines) + "\n"


#: What makes `table` a table of numbers with a label, a positive and a bounded column.
DECLARED = ("--label", "kind", "--positive", '"price, net"', "--bounds", "share=0:1")
