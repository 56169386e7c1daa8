"""The reverse SDE on the exact law of the discretised chain, without sampling.

On a Gaussian every step is affine in x and z, so the law at the end of a walk can be read off it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from samplers.closed_form import (
    F64,
    GAUSSIAN,
    MEAN,
    MIXTURE,
    PROCESSES,
    law_at,
    law_of_walk,
    order_of,
    reverse_law,
    root_mean_square,
)
from scorematching.densities import GaussianMixture
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, Process
from scorematching.random import seeded
from scorematching.samplers import (
    Diffusion,
    DPMSolver2M,
    EulerMaruyama,
    KarrasGrid,
    LogUniformGrid,
    SDEDPMSolver2M,
    Solve,
    Solver,
    prior_sample,
    reverse_sde,
    walk,
)

BOTH = (EulerMaruyama(), SDEDPMSolver2M())


def laws(
    solver: Solver[Any], process: Process, times: Tensor, diffusion: Diffusion | None = None
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The law at the end of the walk and the exact one, from a start off the process's own law."""
    mean, covariance = law_at(process, times[0])
    mean, covariance = mean + process.sigma(times[0]), 2 * covariance
    diffusion = diffusion or Diffusion(GAUSSIAN.noisy_score(process), process)
    got = law_of_walk(Solve(solver, diffusion), times, mean, covariance)
    return got, reverse_law(process, times[0], times[-1], mean, covariance)


BIMODAL = GaussianMixture(
    torch.tensor([0.3, 0.7], dtype=F64),
    torch.tensor([[-1.0], [1.0]], dtype=F64),
    torch.tensor([[[0.2]], [[0.3]]], dtype=F64),
)
STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "x": lambda x: x,
    "x²": lambda x: x**2,
    "cos 2x": lambda x: torch.cos(2 * x),
}


@pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS.keys())
def test_the_second_order_sde_solver_is_so_beyond_gaussians(
    statistic: Callable[[Tensor], Tensor],
) -> None:
    """Expectations by a full tree of three-point noises, whose first five moments are Gaussian."""
    process, start, steps = EDM(0.6, 1.2), 0.5, [6, 7, 8, 9, 10]
    y = torch.linspace(-8, 8, 20_001, dtype=F64)
    low, high = torch.tensor([0.6, 1.2], dtype=F64)
    joint = BIMODAL.diffused_log_density(y[:, None], torch.ones_like(y), low.expand(len(y)))
    posterior = (joint - (start - y) ** 2 / (2 * (high**2 - low**2))).softmax(0)
    truth = (posterior * statistic(y)).sum()
    solve = Solve(SDEDPMSolver2M(), Diffusion(BIMODAL.noisy_score(process), process))
    nodes = torch.tensor([-math.sqrt(3), 0.0, math.sqrt(3)], dtype=F64)
    weights = torch.tensor([1 / 6, 2 / 3, 1 / 6], dtype=F64)
    errors = []
    for n in steps:
        digits = torch.arange(3**n)[None] // 3 ** torch.arange(n)[:, None] % 3
        x = torch.full((3**n, 1), start, dtype=F64)
        noise = nodes[digits][:, :, None]
        end = walk(solve, x, LogUniformGrid(n)(process), noise=lambda i, x, z=noise: z[i]).x[:, 0]
        errors.append(abs(((weights[digits].prod(0) * statistic(end)).sum() - truth).item()))
    assert order_of(steps, errors) > SDEDPMSolver2M.order - 0.15, errors


@dataclass(frozen=True)
class Halved(Diffusion):
    """The mistake f x − ½ g² s in the reverse SDE: the drift of the flow."""

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        return super().score(x, t) / 2


@pytest.mark.parametrize("solver", BOTH, ids=repr)
def test_half_the_score_in_the_drift_is_caught(solver: Solver[Any]) -> None:
    process = VE(0.1, 3.0)
    halved = Halved(GAUSSIAN.noisy_score(process), process)
    errors = []
    for diffusion in (None, halved):
        got, truth = laws(solver, process, LogUniformGrid(192)(process), diffusion)
        errors.append(root_mean_square(got[1] - truth[1]))
    assert errors[1] > 20 * errors[0]


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_a_grid_one_step_short_is_caught(process: Process) -> None:
    times = LogUniformGrid(64)(process)
    errors = []
    for used in (times, times[:-1], times[1:]):
        solve = Solve(SDEDPMSolver2M(), Diffusion(GAUSSIAN.noisy_score(process), process))
        start, covariance = law_at(process, times[0])
        start = start + process.sigma(times[0])
        mean, _ = law_of_walk(solve, used, start, covariance)
        truth, _ = reverse_law(process, times[0], times[-1], start, covariance)
        errors.append(root_mean_square(mean - truth))
    assert errors[0] < 1e-12
    assert min(errors[1:]) > 1e-5


@pytest.mark.parametrize(
    ("process", "solver", "n_steps"),
    [
        (VE(), SDEDPMSolver2M(), 60),
        (VP(), SDEDPMSolver2M(), 60),
        (EDM(), SDEDPMSolver2M(), 60),
        (EDM(), EulerMaruyama(), 300),
    ],
)
def test_samples_of_a_mixture_have_its_proportions_and_moments(
    process: Process, solver: Solver[Any], n_steps: int, generator: torch.Generator
) -> None:
    n = 4000
    x = prior_sample(n, process, MIXTURE.weights @ MIXTURE.means, generator=generator)
    score, grid = MIXTURE.noisy_score(process), KarrasGrid(n_steps)
    rows = reverse_sde(score, process, x, grid, step=solver, generator=generator).x
    truth = MIXTURE.sample(200_000, generator)
    for statistic in (
        lambda y: (y[:, 0] < -0.3).double(),
        lambda y: y[:, 0],
        lambda y: y[:, 1] ** 2,
    ):
        got, expected = statistic(rows), statistic(truth)
        error = math.sqrt(got.var().item() / n + expected.var().item() / len(truth))
        assert abs((got.mean() - expected.mean()).item()) < 4 * error


def test_the_same_seed_repeats_a_sample_and_another_changes_it() -> None:
    process = VP()
    x = prior_sample(5, process, MEAN, generator=seeded("prior"))
    first, again, other = (
        reverse_sde(MIXTURE.noisy_score(process), process, x, generator=seeded(seed)).x
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_defaults_are_the_second_order_solver_on_fifty_karras_steps() -> None:
    process, score = EDM(), MIXTURE.noisy_score(EDM())
    x = prior_sample(5, process, MEAN, generator=seeded("prior"))
    default = reverse_sde(score, process, x, generator=seeded("noise"))
    said = reverse_sde(
        score, process, x, KarrasGrid(50), step=SDEDPMSolver2M(), generator=seeded("noise")
    )
    assert torch.equal(default.x, said.x)
    assert default.n_evaluations == 51


def test_a_step_without_noise_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Use probability_flow"):
        reverse_sde(GAUSSIAN.noisy_score(EDM()), EDM(), torch.ones(2, 2), step=DPMSolver2M())
