"""Which solver for a fitted model? Fréchet distance against evaluations, digits with labels.

The model is the fit of `benchmarks.digits_labelled`, first seed; the samples have spread labels.
Every way starts from the same rows and ends with the final denoising; the floor is the training
split itself, 1.25 with all its rows and 1.37 with as many as there are samples.

    python -m benchmarks.digits_solvers [--seed 0] [--picture docs/images/solvers-digits.png]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

import scorematching as sm
from benchmarks.digits import floor_samples
from benchmarks.digits_labelled import N_SAMPLES, labelled_fit
from benchmarks.ours import as_images
from benchmarks.protocols.digits import (
    FeatureNet,
    Images,
    feature_net,
    frechet_distance,
    rounded,
    split,
)
from benchmarks.solvers_picture import MARKERS
from benchmarks.tables import markdown
from benchmarks.timing import one_thread
from scorematching.data.atomic import new_file
from scorematching.noise import DenoiserScore
from scorematching.random import RowNoise
from scorematching.samplers import (
    DDIM,
    DPMSolver2M,
    Grid,
    KarrasGrid,
    SDEDPMSolver2M,
    Solver,
    run_backwards,
)

BUDGETS = (5, 10, 20, 40)
SHOWN = 30  # images of a sheet
WAYS: dict[str, Callable[[], Solver[Any]]] = {
    "DDIM": DDIM,
    "DPM-Solver++(2M)": DPMSolver2M,
    "ancestral": lambda: DDIM(1.0),
    "SDE-DPM-Solver++(2M)": SDEDPMSolver2M,
}


@dataclass(frozen=True)
class Curve:
    """Fréchet distances of a way by the number of evaluations, and its samples at ten of them."""

    name: str
    distances: Sequence[float]
    shown: Images


def samples(fitted: sm.FittedScore, solver: Solver[Any], n_evaluations: int) -> Images:
    """Samples with spread labels by any solver, on the grid that the library uses."""
    settings, base = fitted.configuration.sampling, fitted.denoiser.base
    classes = torch.tensor(fitted.spread_labels(N_SAMPLES))
    noise = RowNoise(0, N_SAMPLES, (0, "sample"))
    start = base.draw(noise.normal(base.mean, tuple(base.mean.shape)), settings.sigma_max)

    def denoised(x: Tensor, sigma: Tensor) -> Tensor:
        found: Tensor = fitted.denoiser(x, sigma, classes)
        return found

    end = run_backwards(
        solver,
        DenoiserScore(denoised, fitted.process),
        fitted.process,
        start,
        grid_of(fitted, n_evaluations),
        noise=noise if solver.draws else None,
    )
    return rounded(as_images(fitted.transform.inverse(end.x.double()).numpy()))


def grid_of(fitted: sm.FittedScore, n_evaluations: int) -> Grid:
    """One evaluation is the final denoising."""
    settings = fitted.configuration.sampling
    return KarrasGrid(n_evaluations - 1, sigma_min=settings.sigma_min, sigma_max=settings.sigma_max)


def curve(name: str, fitted: sm.FittedScore, distance: Callable[[Images], float]) -> Curve:
    """One way at each budget."""
    drawn = {budget: samples(fitted, WAYS[name](), budget) for budget in BUDGETS}
    return Curve(name, [distance(each) for each in drawn.values()], drawn[10][:SHOWN])


def distance_to(held_out: Images, net: FeatureNet) -> Callable[[Images], float]:
    """The Fréchet distance of samples to the held-out images."""
    features = net(held_out)
    return lambda images: frechet_distance(net(images), features)


def save(path: Path, curves: Sequence[Curve], floor: float, truth: Images) -> None:
    """Draw the curves, and beside them fresh images and samples at ten evaluations."""
    figure = Figure(figsize=(12, 4.9), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
    _draw(left.add_subplot(), curves, floor)
    sheets = {"held-out images": truth[:SHOWN], **{each.name: each.shown for each in curves}}
    for i, (name, images) in enumerate(sheets.items()):
        axes = right.add_subplot(len(sheets), 1, i + 1)
        axes.imshow(sheet(images), cmap="gray_r", interpolation="nearest")
        axes.set_title(name if i == 0 else f"{name}, 10 evaluations", loc="left", fontsize=9)
        axes.set_axis_off()
    with new_file(path, overwrite=True) as temporary, temporary.open("wb") as file:
        figure.savefig(file, format="png")


def sheet(images: Images) -> Images:
    """Images (n, 64) in two rows, side by side, a pixel apart."""
    cells = np.pad(
        images.reshape(2, -1, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1
    )
    return cells.transpose(0, 2, 1, 3).reshape(20, -1)


def _draw(axes: Axes, curves: Sequence[Curve], floor: float) -> None:
    for each, colour, marker in zip(
        curves, ("#8a8f98", "#4e79a7", "#edc948", "#d1603d"), MARKERS, strict=False
    ):
        axes.plot(
            BUDGETS, each.distances, color=colour, marker=marker, markersize=6, linewidth=1.8,
            label=each.name,
        )  # fmt: skip
    axes.axhline(floor, color="#59a14f", linewidth=1.2, linestyle="--")
    axes.text(41.5, floor, "training\nimages", va="center", color="#3a7034", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(4.6, 41)
    axes.set_ylim(1, 3)
    axes.set_xticks(BUDGETS, [str(each) for each in BUDGETS])
    axes.set_yticks((1, 1.5, 2, 2.5, 3))
    axes.minorticks_off()
    axes.set_xlabel("evaluations of the network")
    axes.set_ylabel("Fréchet distance to held-out digits")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every way at every budget, and print a markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the fit")
    parser.add_argument("--picture", type=Path, help="also draw the curves, into this PNG file")
    options = parser.parse_args(arguments)
    digits = split()
    with one_thread():
        distance = distance_to(digits.held_out, feature_net(digits.train))
        fitted = labelled_fit(digits, options.seed)
        curves = [curve(name, fitted, distance) for name in WAYS]
        floor = distance(floor_samples(digits.train, N_SAMPLES, 0))
    table = [[each.name, *(f"{value:.2f}" for value in each.distances)] for each in curves]
    print(markdown(["Fréchet", *(f"{n} evaluations" for n in BUDGETS)], table))
    if options.picture:
        save(options.picture, curves, floor, digits.held_out)


if __name__ == "__main__":
    main()
