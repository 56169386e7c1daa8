"""How close to the truth at few evaluations? Solvers on a mixture whose score is known exactly.

Eight Gaussians of unequal weights, widths and directions on a ring. Rows start at σ = 20 from the
Gaussian with the mixture's mean and covariance and go down to σ = 0.05, the last evaluation being
the final denoising. What is measured is the energy distance of the samples to draws of the truth;
the limit is the 95th percentile of that between two samples of the truth of the same size. It is
computed from the law of that distance, (2/n) Σ λᵢ (χ²ᵢ − 1) with the eigenvalues λᵢ of the centred
kernel −‖x − y‖ (Székely & Rizzo 2013), because pairs drawn from few samples share their outliers.

    python -m benchmarks.solvers [--rows 10000] [--truths 4] [--starts 4] [--picture PATH]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.protocols.metrics import total_distance
from scorematching.densities import GaussianMixture
from scorematching.noise import EDM
from scorematching.random import normal, seeded
from scorematching.samplers import (
    DDIM,
    ChurnedHeun,
    DPMSolver2M,
    DPMSolver3M,
    Grid,
    Heun,
    KarrasGrid,
    LogUniformGrid,
    NoisedGaussian,
    SDEDPMSolver2M,
    Solver,
    Tolerance,
    UniPC,
    adaptive_flow,
    adaptive_sde,
    optimised_grid,
    run_backwards,
)

F64 = torch.float64
LOW, HIGH = 0.05, 20.0
PROCESS = EDM(0.01, 100.0)
BUDGETS = (5, 7, 10, 14, 20, 30, 50)
BUDGET = 10  # of the table
PILOTS = 256  # rows that the optimised grids are made from
TOLERANCES = (0.3, 0.1, 0.03, 0.01, 0.003)


def ring() -> GaussianMixture:
    """The mixture: weights 1 to 8 in 36ths, on a ring of radius 2, deviations 0.1 to 0.4."""
    k = torch.arange(8, dtype=F64)
    angle = 2 * math.pi * k / 8
    weights = torch.tensor([1, 5, 3, 7, 2, 6, 4, 8], dtype=F64) / 36
    out = torch.stack([angle.cos(), angle.sin()], 1)
    along = torch.stack([-angle.sin(), angle.cos()], 1)
    turned = torch.stack([out, along], 2)
    deviations = torch.stack([0.1 + 0.15 * (k % 3), 0.15 + 0.05 * (k % 4)], 1)
    covariances = turned @ torch.diag_embed(deviations**2) @ turned.mT
    return GaussianMixture(weights, 2 * out, (covariances + covariances.mT) / 2)


RING = ring()
SCORE = RING.noisy_score(PROCESS)
MEAN = RING.weights @ RING.means
SPREAD = torch.einsum("k,kij->ij", RING.weights, RING.covariances) + torch.einsum(
    "k,ki,kj->ij", RING.weights, RING.means - MEAN, RING.means - MEAN
)


def starts(n: int, seed: int | str) -> Tensor:
    """Rows at the highest level, ``(n, 2)``."""
    return NoisedGaussian(MEAN, SPREAD, HIGH).sample(n, seeded(seed, "start"))


def karras(n: int) -> Grid:
    return KarrasGrid(n, sigma_min=LOW, sigma_max=HIGH)


def log_uniform(n: int) -> Grid:
    return LogUniformGrid(n, LOW, HIGH)


def optimised(n: int) -> Grid:
    """Made from other rows than those that are measured."""
    pilots = starts(PILOTS, "pilots")
    return optimised_grid(SCORE, PROCESS, pilots, n, sigma_min=LOW, sigma_max=HIGH)


@dataclass(frozen=True)
class Way:
    """A solver on a kind of grid: the number of steps → each."""

    name: str
    solver: Callable[[int], Solver[Any]]
    grid: Callable[[int], Grid]

    def samples(self, x: Tensor, budget: int) -> tuple[Tensor, int]:
        """The end of the rows x with at most so many evaluations, and how many there were."""
        steps = (budget - 1) // self.solver(1).evaluations
        solver = self.solver(steps)
        result = run_backwards(
            solver,
            SCORE,
            PROCESS,
            x,
            self.grid(steps),
            generator=seeded("noise") if solver.draws else None,
        )
        return result.x, result.n_evaluations


FLOWS = (
    Way("DDIM, log-uniform", lambda n: DDIM(), log_uniform),
    Way("Heun, Karras", lambda n: Heun(), karras),
    Way("DPM-Solver++(2M), Karras", lambda n: DPMSolver2M(), karras),
    Way("DPM-Solver++(2M), optimised", lambda n: DPMSolver2M(), optimised),
    Way("DPM-Solver++(3M), log-uniform", lambda n: DPMSolver3M(), log_uniform),
    Way("UniPC-2, log-uniform", lambda n: UniPC(2), log_uniform),
    Way("UniPC-2, optimised", lambda n: UniPC(2), optimised),
)
STOCHASTIC = (
    Way("ancestral, log-uniform", lambda n: DDIM(1.0), log_uniform),
    Way("Heun with churn, Karras", lambda n: ChurnedHeun(min(2 / n, 0.41)), karras),
    Way("SDE-DPM-Solver++(2M), Karras", lambda n: SDEDPMSolver2M(), karras),
    Way("SDE-DPM-Solver++(2M), log-uniform", lambda n: SDEDPMSolver2M(), log_uniform),
    Way("SDE-DPM-Solver++(2M), optimised", lambda n: SDEDPMSolver2M(), optimised),
)


def adaptive_samples(x: Tensor, tolerance: float, noisy: bool) -> tuple[Tensor, int]:
    """As `Way.samples`, with steps that each row chooses for itself."""
    allowed = Tolerance(tolerance, tolerance)
    if noisy:
        grid, noise = log_uniform(8), seeded("noise")
        result = adaptive_sde(SCORE, PROCESS, x, grid, tolerance=allowed, generator=noise)
    else:
        result = adaptive_flow(SCORE, PROCESS, x, tolerance=allowed, sigma_min=LOW, sigma_max=HIGH)
    return result.x, result.n_evaluations


@dataclass(frozen=True)
class Truths:
    """Independent samples of the mixture, and their mean distances within themselves."""

    rows: tuple[NDArray[np.float64], ...]
    within: tuple[float, ...]

    @classmethod
    def draw(cls, n: int, count: int) -> Truths:
        rows = tuple(RING.sample(n, seeded(i, "truth")).numpy() for i in range(count))
        return cls(rows, tuple(mean_within(each) for each in rows))

    def distance(self, x: Tensor) -> float:
        """The mean energy distance of x to each of them; unbiased."""
        rows = x.numpy()
        within = mean_within(rows)
        return float(np.mean([self._distance(rows, within, j) for j in range(len(self.rows))]))

    def _distance(self, rows: NDArray[np.float64], within: float, j: int) -> float:
        other = self.rows[j]
        between = total_distance(rows, other, 512) / (len(rows) * len(other))
        return 2 * between - within - self.within[j]


def mean_within(rows: NDArray[np.float64]) -> float:
    """E‖X − X′‖ over pairs of different rows."""
    return total_distance(rows, rows, 512) / (len(rows) * (len(rows) - 1))


def limit_of(n: int, quantile: float = 0.95, size: int = 2000) -> float:
    """The quantile of the energy distance between two samples of the truth, n rows each.

    The eigenvalues are those of a sample of the given size; the law is drawn 100,000 times.
    """
    rows = RING.sample(size, seeded("eigenvalues"))
    kernel = -torch.cdist(rows, rows)
    kernel = kernel - kernel.mean(0) - kernel.mean(1, keepdim=True) + kernel.mean()
    values = torch.linalg.eigvalsh(kernel / size).flip(0)[:200]
    squares = normal((100_000, len(values)), values, seeded("law")) ** 2
    law = 2 / n * ((squares - 1) @ values)
    return float(law.quantile(quantile))


@dataclass(frozen=True)
class Curve:
    """Energy distances of a way by the number of evaluations."""

    name: str
    evaluations: Sequence[int]
    distances: Sequence[float]


def curves(ways: Sequence[Way], noisy: bool, x: Tensor, truths: Truths) -> list[Curve]:
    """Each way at each budget, and the adaptive one at each tolerance."""
    found = []
    for way in ways:
        ends = [way.samples(x, budget) for budget in BUDGETS]
        found.append(Curve(way.name, [n for _, n in ends], [truths.distance(y) for y, _ in ends]))
    ends = [adaptive_samples(x, tolerance, noisy) for tolerance in TOLERANCES]
    name = "adaptive SDE" if noisy else "adaptive, Dormand–Prince"
    found.append(Curve(name, [n for _, n in ends], [truths.distance(y) for y, _ in ends]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000, help="samples (default 10000)")
    parser.add_argument("--truths", type=int, default=4, help="samples of the truth (default 4)")
    parser.add_argument("--starts", type=int, default=4, help="repetitions (default 4)")
    parser.add_argument("--picture", type=Path, help="also draw the curves, into this PNG file")
    options = parser.parse_args()
    torch.set_num_threads(1)

    truths, limit = Truths.draw(options.rows, options.truths), limit_of(options.rows)
    print(f"Energy distance × 10⁴, {options.rows:,} rows, {BUDGET} evaluations at most; the 95th")
    print(f"percentile of truth against truth is {1e4 * limit:.2f}\n")
    print("| way | evaluations | energy distance | of each start | within the limit |")
    print("|---|---|---|---|---|")
    for way in (*FLOWS, *STOCHASTIC):
        ends = [way.samples(starts(options.rows, i), BUDGET) for i in range(options.starts)]
        found = [truths.distance(y) for y, _ in ends]
        each = ", ".join(f"{1e4 * value:.2f}" for value in found)
        verdict = "yes" if np.mean(found) <= limit else "no"
        print(
            f"| {way.name} | {ends[0][1]} | {1e4 * np.mean(found):.2f} | {each} | {verdict} |",
            flush=True,
        )
    if options.picture:
        from benchmarks.solvers_picture import save

        x = starts(options.rows, 0)
        few = Truths(truths.rows[:2], truths.within[:2])
        panels = {
            "Probability flow": curves(FLOWS, False, x, few),
            "Reverse SDE": curves(STOCHASTIC, True, x, few),
        }
        shown = {way.name: way.samples(x, BUDGET)[0].numpy() for way in (FLOWS[2], FLOWS[6])}
        save(options.picture, panels, limit, truths.rows[0], shown)


if __name__ == "__main__":
    main()
