"""Where the scripts are found, and that running one leaves nothing open."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, PathDistribution
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from scorematching.cli import examples
from scorematching.errors import InvalidInput

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package as if it lay in a site-packages folder, without its scripts."""
    site = tmp_path / "lib" / "site-packages"
    file = site / "scorematching" / "cli" / "examples.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    monkeypatch.setattr(examples, "__file__", str(file))
    yield site
    for name in [name for name in sys.modules if name.startswith("scorematching_example_")]:
        del sys.modules[name]


def test_the_scripts_of_a_checkout_stand_beside_its_sources() -> None:
    assert examples.folder() == TOP / "examples"


def test_the_scripts_of_an_installed_package_are_found_by_its_record(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = installed / "scorematching-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scorematching\nVersion: 1\n")
    script = "share/scorematching/examples/one.py"
    (info / "RECORD").write_text(f"scorematching/cli/examples.py,,\n../../{script},,\n")
    written = installed.parents[1] / script
    written.parent.mkdir(parents=True)
    written.write_text("answer = 42\n")
    monkeypatch.setattr(examples, "distribution", lambda _: PathDistribution(info))
    assert examples.folder() == written.parent.resolve()
    assert examples.load("one").answer == 42
    with pytest.raises(InvalidInput, match="there is no example 'two'"):
        examples.load("two")


@pytest.mark.usefixtures("installed")
def test_a_package_without_scripts_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(examples, "distribution", missing)
    with pytest.raises(InvalidInput, match="were not installed"):
        examples.folder()


def test_drawing_opens_no_window_and_closes_what_it_opened() -> None:
    mine = pyplot.figure()
    colour = matplotlib.rcParams["axes.facecolor"]

    def draw_and_fail() -> None:
        with examples.drawing():
            assert matplotlib.get_backend().lower() == "agg"
            pyplot.rcParams["axes.facecolor"] = "red"
            pyplot.figure()
            assert len(pyplot.get_fignums()) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        draw_and_fail()
    assert pyplot.get_fignums() == [mine.number]
    assert matplotlib.rcParams["axes.facecolor"] == colour
    pyplot.close(mine)


def test_the_numbers_of_results_are_those_that_are_single() -> None:
    class Results(NamedTuple):
        x: Any = np.zeros(3)
        slope: Any = np.float32(0.5)
        rows: Any = np.int64(7)
        right: Any = True
        name: Any = "one"

    for given in (Results(), Results()._asdict()):
        found = examples.numbers(given)
        assert found == {"slope": 0.5, "rows": 7}
        assert [type(value) for value in found.values()] == [float, int]
