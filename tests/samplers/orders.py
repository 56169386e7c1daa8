"""The order of every solver, measured against flows and laws known in closed form."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from samplers.closed_form import (
    GAUSSIAN,
    MEAN,
    MIXTURE,
    PROCESSES,
    SPACED,
    family_law,
    gaussian_flow,
    law_at,
    law_of_walk,
    order_of,
    root_mean_square,
)
from scorematching.noise import VP, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    BOGACKI_SHAMPINE,
    DDIM,
    DORMAND_PRINCE,
    ChurnedHeun,
    ConsistentAnnealed,
    Diffusion,
    DPMSolver2M,
    DPMSolver3M,
    EmbeddedRungeKutta,
    Euler,
    EulerMaruyama,
    Heun,
    ImprovedEuler,
    LogUniformGrid,
    PredictorCorrector,
    RungeKutta4,
    SDEDPMSolver2M,
    Solve,
    Solver,
    UniPC,
    walk,
)

ALLOWED = 0.15  # between the declared order and any measured one
UNIFORM = tuple((process, LogUniformGrid) for process in PROCESSES)


@dataclass(frozen=True)
class Entry:
    """A solver and how its order is measured.

    Attributes
    ----------
    name, of
        What the page calls it, and the equation it solves.
    solver
        The length of a step in ln σ → the solver; most are the same for every length.
    steps
        At least five numbers of steps.
    squared
        η² of the equation dx = [f x − ½(1 + η²) g² s] dt + η g dw̄ that it solves; 0 is the flow.
    spaced
        Processes and grids on the Gaussian.
    own
        Whether the start has the process's own law; else the mean and the covariance are off.
    span
        The lowest and the highest level, where the usual ones will not do: a high order shows only
        if the ends lie where D changes, or the errors of highest order cancel along the way.
    """

    name: str
    of: str
    solver: Callable[[float], Solver[Any]]
    steps: tuple[int, ...] = (32, 48, 64, 96, 128)
    squared: float = 0.0
    spaced: tuple[tuple[Process, Any], ...] = SPACED
    own: bool = False
    span: tuple[float, float] | None = None

    @property
    def example(self) -> Solver[Any]:
        return self.solver(0.01)

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        """The name in letters, digits and hyphens, to call one test by."""
        return "-".join(re.findall(r"[A-Za-z0-9]+", self.name))


FLOW, SDE, BETWEEN = "flow", "reverse SDE", "between"
FEW, LAW = (24, 32, 40, 48, 64), (48, 64, 96, 128, 192)
MANY = (128, 192, 256, 384, 512)
INSIDE = (0.3, 1.0)

ENTRIES = (
    Entry("Euler", FLOW, lambda h: Euler()),
    Entry("DDIM, η = 0", FLOW, lambda h: DDIM()),
    Entry("Heun", FLOW, lambda h: Heun()),
    Entry("DPM-Solver++(2M)", FLOW, lambda h: DPMSolver2M()),
    Entry("DPM-Solver++(3M)", FLOW, lambda h: DPMSolver3M(), MANY),
    Entry("UniPC-1", FLOW, lambda h: UniPC(1)),
    Entry("UniPC-2", FLOW, lambda h: UniPC(2)),
    Entry("UniPC-3", FLOW, lambda h: UniPC(3), span=INSIDE),
    Entry(
        "Bogacki–Shampine 3(2)",
        FLOW,
        lambda h: EmbeddedRungeKutta(BOGACKI_SHAMPINE),
        FEW,
    ),
    Entry("Runge–Kutta 4", FLOW, lambda h: RungeKutta4(), FEW),
    Entry(
        "Dormand–Prince 5(4)",
        FLOW,
        lambda h: EmbeddedRungeKutta(DORMAND_PRINCE),
        (8, 10, 12, 16, 20),
        span=INSIDE,
    ),
    Entry("Euler–Maruyama", SDE, lambda h: EulerMaruyama(), LAW, 1.0),
    Entry("DDIM, η = ½", BETWEEN, lambda h: DDIM(0.5), LAW, 0.25),
    Entry("DDIM, η = 1, ancestral", SDE, lambda h: DDIM(1.0), LAW, 1.0),
    Entry("SDE-DPM-Solver++(2M)", SDE, lambda h: SDEDPMSolver2M(), LAW, 1.0),
    Entry("improved Euler", SDE, lambda h: ImprovedEuler(), LAW, 1.0),
    Entry(
        "consistent annealed, ρ = 2h", SDE, lambda h: ConsistentAnnealed(2 * h), LAW, 1.0, UNIFORM
    ),
    Entry(
        "DPM-Solver++(2M) + Langevin, r² = h/2",
        SDE,
        lambda h: PredictorCorrector(DPMSolver2M(), math.sqrt(h / 2)),
        LAW,
        1.0,
        UNIFORM,
    ),
    Entry("Heun with churn, γ = h", SDE, lambda h: ChurnedHeun(h), FEW, 1.0, SPACED, own=True),
)


def length(process: Process, times: Tensor) -> float:
    """The mean length of a step in ln σ."""
    levels = process.noise_level(times)
    return (levels[0] / levels[-1]).log().item() / (len(times) - 1)


def on_gaussian(entry: Entry, process: Process, grid: Any) -> list[float]:
    """The error at the end: of the rows of a flow, of the mean and the covariance of a law."""
    score, errors = GAUSSIAN.noisy_score(process), []
    low, high = entry.span or (None, None)
    for n in entry.steps:
        times = grid(n, sigma_min=low, sigma_max=high)(process)
        solve = Solve(entry.solver(length(process, times)), Diffusion(score, process))
        if entry.squared == 0:
            x = normal((8, 2), MEAN, seeded("start")) * process.sigma(times[0])
            truth = gaussian_flow(x, process, times[0], times[-1])
            errors.append(root_mean_square(walk(solve, x, times).x - truth))
            continue
        law = law_at(process, times[0])
        if not entry.own:
            law = law[0] + process.sigma(times[0]), 2 * law[1]
        got = law_of_walk(solve, times, *law)
        expected = family_law(process, times[0], times[-1], *law, entry.squared)
        parts = [(a - b).flatten() for a, b in zip(got, expected, strict=True)]
        errors.append(root_mean_square(torch.cat(parts)))
    return errors


@cache
def mixture_flow(low: float, high: float) -> tuple[Tensor, Tensor]:
    """A start at the high level and where the mixture's flow takes it, by another integrator."""
    y = high * normal((8, 2), MEAN, seeded("mixture"))

    def slope(log_sigma: float, flat: np.ndarray) -> np.ndarray:
        rows = torch.from_numpy(flat).view(8, 2)
        return (rows - MIXTURE.denoise(rows, math.exp(log_sigma))).flatten().numpy()

    span = (math.log(high), math.log(low))
    end = solve_ivp(slope, span, y.flatten().numpy(), "DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
    return y, torch.from_numpy(end).view(8, 2)


def on_mixture(entry: Entry, process: Process) -> list[float]:
    """The error of the rows at the end of the flow of a mixture."""
    low, high = entry.span or (0.1, 3.0)
    y, end = mixture_flow(low, high)
    score, errors = MIXTURE.noisy_score(process), []
    for n in entry.steps:
        times = LogUniformGrid(n, low, high)(process)
        solve = Solve(entry.solver(length(process, times)), Diffusion(score, process))
        x = walk(solve, process.alpha(times[0]) * y, times).x / process.alpha(times[-1])
        errors.append(root_mean_square(x - end))
    return errors


def measured(entry: Entry) -> Iterator[tuple[str, float]]:
    """Each measured order, and where."""
    for process, grid in entry.spaced:
        errors = on_gaussian(entry, process, grid)
        yield f"Gaussian, {process}, {grid.__name__}", order_of([*entry.steps], errors)
    if entry.squared == 0:
        yield "mixture, VP", order_of([*entry.steps], on_mixture(entry, VP()))
