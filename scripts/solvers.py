"""Measure the order of every solver against closed forms, and write docs/solvers.md.

Exit status 1 if an order is off; the page is written all the same, and the order printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "docs" / "solvers.md"


def main(page: Path = PAGE) -> int:
    """Measure every order and write the page."""
    sys.path.append(str(TOP / "tests"))
    import torch

    from samplers.orders import ALLOWED, ENTRIES, measured
    from samplers.solver_page import render

    torch.set_num_threads(1)  # sums do not depend on the number of cores
    orders = {entry.name: [*measured(entry)] for entry in ENTRIES}
    page.parent.mkdir(exist_ok=True)
    page.write_text(
        render({name: [o for _, o in found] for name, found in orders.items()}), "utf-8"
    )
    off = [
        f"{entry}: declared {entry.example.order}, measured {order:.3f} on {where}"
        for entry in ENTRIES
        for where, order in orders[entry.name]
        if not abs(order - entry.example.order) <= ALLOWED
    ]
    print(f"{page}: {len(ENTRIES)} solvers, {len(off)} orders off")
    print(*off, sep="\n", end="\n" if off else "")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
