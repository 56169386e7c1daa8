"""The script that a test file is named after, its results and its figure.

``test_potentials.py`` tests ``examples/potentials.py``. Each is made once a file; no window opens,
and figures and settings of matplotlib are gone after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from matplotlib.figure import Figure

from scorematching.cli import examples


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The script as a module."""
    with examples.drawing():
        yield examples.load(request.path.stem.removeprefix("test_"))


@pytest.fixture(scope="module")
def results(example: ModuleType) -> Any:
    """What the script computes in its small setting, from the seed 0."""
    return example.compute(quick=True, seed=0)


@pytest.fixture
def figure(example: ModuleType, results: Any) -> Figure:
    """What the script draws of `results`, rendered: an unknown glyph or a bad label fails here."""
    drawn = example.draw(results)
    drawn.canvas.draw()
    return drawn
