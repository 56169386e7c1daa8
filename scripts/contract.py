"""Check the objectives against closed forms and each other, and write docs/contract.md.

Exit status 1 if a claim fails; the page is written all the same, and says which.
"""

from __future__ import annotations

import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "docs" / "contract.md"


def main(page: Path = PAGE) -> int:
    """Check every claim and write the page."""
    sys.path.append(str(TOP / "tests"))
    import torch

    from claims.page import all_claims, render

    torch.set_num_threads(1)  # sums do not depend on the number of cores
    checked = [(claim, claim.check()) for claim in all_claims()]
    page.parent.mkdir(exist_ok=True)
    page.write_text(render(checked), encoding="utf-8")
    failed = [(claim, outcome) for claim, outcome in checked if not outcome.holds]
    print(f"{page}: {len(checked)} claims, {len(failed)} failed")
    for claim, outcome in failed:
        print(f"{claim}: expected {outcome.expected}, got {outcome.measured} ({outcome.error})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
