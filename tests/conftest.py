"""What every test may ask for: its own randomness, and the data that stand beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scorematching.random import seeded

# One thread: the suite runs in several processes, and sums do not depend on the number of cores.
torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def generator(request: pytest.FixtureRequest) -> torch.Generator:
    """A generator seeded by the test's own name, so that no test changes another's draws."""
    return seeded(request.node.path.name, request.node.name)


@pytest.fixture
def shared() -> Path:
    """The folder ../shared, data too large for this repository; without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("needs the data folder ../shared beside this checkout")
    return SHARED
