"""Run the examples, all or those that are named, and draw the pictures of docs/examples.

    python scripts/gallery.py [NAME …]

Exit status 1 if a picture is larger than the documentation takes; it is written all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

TOP = Path(__file__).resolve().parents[1]
PICTURES = TOP / "docs" / "images" / "examples"
MAX_BYTES = 400_000


def main(names: Sequence[str] = (), folder: Path = PICTURES, *, quick: bool = False) -> int:
    """Draw each picture into the folder, and say what it shows in numbers."""
    import torch

    from scorematching.cli import examples

    torch.set_num_threads(1)  # sums do not depend on the number of cores
    folder.mkdir(parents=True, exist_ok=True)
    status = 0
    for name in names or examples.EXAMPLES:
        start = perf_counter()
        found = examples.picture(name, folder / f"{name}.png", quick=quick)
        size = (folder / f"{name}.png").stat().st_size
        print(f"{name}.png: {size:,} bytes, {perf_counter() - start:.0f} s")
        print(*(f"  {each} {value:.5g}" for each, value in found.items()), sep="\n")
        if size > MAX_BYTES:
            print(f"  too large: expected at most {MAX_BYTES:,} bytes")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
