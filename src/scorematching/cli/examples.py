"""The lecture notes that run, ``examples/``: where the scripts are, and how one is run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from numbers import Integral, Real
from pathlib import Path
from types import ModuleType
from typing import Any

from scorematching.errors import InvalidInput

#: Name → what it shows; each is a script, a page of the documentation and a demo.
EXAMPLES: Mapping[str, str] = {
    "potentials": "the score does not see the constant; what implicit matching weighs up",
    "objectives": "one data set, four objectives: the same field, at different variance",
    "breakdown": "where implicit matching breaks: rounded rows, and a boundary",
    "langevin": "samples from a score; modes that get the wrong shares, and annealing",
    "noise": "noised densities as convolutions; four processes, and mixing beside them",
    "shapes": "a score network for images, from noise to shapes; a rare class; minutes",
    "autoencoder": "denoising as a projection onto a curve, its energy, a chain that generates",
    "fisher": "the KL divergence as the area under a Fisher divergence along the noise",
    "diffusion": "from noise to data by the reverse SDE and the flow; log-density beside the truth",
    "recovery": "blurred signals: no prior, Tikhonov, a learned score; from smooth to sharp",
}

SHARE = ("share", "scorematching", "examples")  # of an installed package; see pyproject.toml


def folder() -> Path:
    """Where the scripts are: beside ``src/`` in a checkout, else where they were installed.

    Raises
    ------
    InvalidInput
        They are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    beside = package.parents[1] / SHARE[-1]
    if package.parent.name == "src" and beside.is_dir():
        return beside
    try:
        files = distribution(package.name).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.parent.parts[-len(SHARE) :] == SHARE:
            return Path(str(file.locate())).resolve().parent
    raise InvalidInput(
        f"the scripts of the examples were not installed with {package}. Install the package by "
        "pip, or run them in a checkout."
    )


def load(name: str) -> ModuleType:
    """The script of an example as a module of its own.

    Raises
    ------
    InvalidInput
        There is none of that name.
    """
    path = folder() / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"scorematching_example_{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidInput(f"there is no example {name!r}: expected the script {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses and pickles look their names up
    spec.loader.exec_module(module)
    return module


@contextmanager
def drawing() -> Iterator[None]:
    """No window opens; at the end new figures are closed, and the settings are what they were."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    before = {*pyplot.get_fignums()}
    with matplotlib.rc_context():
        try:
            yield
        finally:
            for number in {*pyplot.get_fignums()} - before:
                pyplot.close(number)


def picture(name: str, path: Path, *, quick: bool = False, seed: int = 0) -> dict[str, float]:
    """Run an example and write its picture, a PNG file; the single numbers among its results."""
    from scorematching.data.atomic import new_file

    with drawing():
        script = load(name)
        results = script.compute(quick=quick, seed=seed)
        figure = script.draw(results)
        with new_file(path, overwrite=True) as temporary, temporary.open("wb") as file:
            figure.savefig(file, format="png")
    return numbers(results)


def numbers(results: Any) -> dict[str, float]:
    """The fields of results, a named tuple or a mapping, that are single numbers."""
    fields = results if isinstance(results, Mapping) else results._asdict()
    return {
        str(name): int(value) if isinstance(value, Integral) else float(value)
        for name, value in fields.items()
        if not isinstance(value, bool) and isinstance(value, Real)
    }
