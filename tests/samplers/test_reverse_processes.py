"""The flow and the reverse SDE of more processes, on a Gaussian and a mixture."""

from __future__ import annotations

import math

import pytest
import torch

from samplers.closed_form import (
    F64,
    GAUSSIAN,
    MIXTURE,
    gaussian_flow,
    law_at,
    law_of_walk,
    order_of,
    reverse_law,
    root_mean_square,
)
from scorematching.noise import (
    Cosine,
    Process,
    SquareRoot,
    StraightLine,
    SubVP,
)
from scorematching.random import seeded
from scorematching.samplers import (
    Diffusion,
    EulerMaruyama,
    Heun,
    KarrasGrid,
    LogUniformGrid,
    SDEDPMSolver2M,
    Solve,
    prior_sample,
    reverse_sde,
    walk,
)

# Between levels 0.1 and 3 of σ/α, as the other processes are measured.
PROCESSES = (SubVP(0.5, 8.0, t_min=0.05), Cosine(), StraightLine(), SquareRoot())
everyone = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
STEPS = [32, 64, 128]


def grid(n: int, process: Process) -> torch.Tensor:
    return LogUniformGrid(n, 0.1, 3.0)(process)


@everyone
def test_the_flow_of_a_gaussian_is_met_at_the_declared_order(process: Process) -> None:
    errors = []
    diffusion = Diffusion(GAUSSIAN.noisy_score(process), process)
    for n in STEPS:
        times = grid(n, process)
        x = 3 * law_at(process, times[0])[1] + 1  # two rows, far out
        end = walk(Solve(Heun(), diffusion), x, times).x
        truth = gaussian_flow(x, process, times[0], times[-1])
        errors.append(root_mean_square(end - truth))
    assert abs(order_of(STEPS, errors) - 2) < 0.15, errors
    assert errors[-1] < 1e-3


@everyone
@pytest.mark.parametrize("solver", [EulerMaruyama(), SDEDPMSolver2M()], ids=repr)
def test_the_reverse_sde_has_the_exact_law_of_a_gaussian_in_the_limit(
    process: Process, solver: EulerMaruyama | SDEDPMSolver2M
) -> None:
    """The covariance of the discretised chain, without sampling, from a start off its law."""
    errors = []
    diffusion = Diffusion(GAUSSIAN.noisy_score(process), process)
    for n in STEPS:
        times = grid(n, process)
        mean, covariance = law_at(process, times[0])
        mean, covariance = mean + process.sigma(times[0]), 2 * covariance
        got = law_of_walk(Solve(solver, diffusion), times, mean, covariance)
        truth = reverse_law(process, times[0], times[-1], mean, covariance)
        errors.append(root_mean_square(got[1] - truth[1]))
    assert abs(order_of(STEPS, errors) - solver.order) < 0.15, errors


@everyone
def test_the_reverse_sde_draws_the_mixture(process: Process) -> None:
    """Proportions and the mean of what is left at the lowest level, from the process's own end."""
    n = 4000
    mean = MIXTURE.weights @ MIXTURE.means
    x = prior_sample(n, process, mean, generator=seeded("prior", repr(process)))
    result = reverse_sde(
        MIXTURE.noisy_score(process),
        process,
        x,
        KarrasGrid(40),
        generator=seeded("noise", repr(process)),
    )
    left = (result.x[:, 0] < -0.25).to(F64)
    truth = left_mass()
    assert abs(left.mean() - truth) < 4 * math.sqrt(truth * (1 - truth) / n)
    spread = result.x.std(0) / math.sqrt(n)
    assert bool(((result.x.mean(0) - mean).abs() < 4 * spread).all())


def left_mass() -> float:
    """P(x₁ < −¼) of the mixture, by the normal distribution function."""
    z = (-0.25 - MIXTURE.means[:, 0]) / MIXTURE.covariances[:, 0, 0].sqrt()
    return float(MIXTURE.weights @ torch.special.ndtr(z))
