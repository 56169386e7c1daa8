"""The probability flow: its controls, its samples, its defaults; orders are in scripts/."""

from __future__ import annotations

import math
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
    gaussian_flow,
    root_mean_square,
)
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    Diffusion,
    DPMSolver2M,
    Euler,
    Heun,
    KarrasGrid,
    LogUniformGrid,
    RungeKutta4,
    SDEDPMSolver2M,
    Solve,
    Solver,
    prior_sample,
    probability_flow,
    walk,
)


def start_of(process: Process) -> Tensor:
    return normal((8, 2), MEAN, seeded("start")) * process.sigma(
        torch.tensor(process.t_max, dtype=F64)
    )


def ends_of(process: Process) -> tuple[Tensor, Tensor]:
    return tuple(torch.tensor([process.t_max, process.t_min], dtype=F64))  # type: ignore[return-value]


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_a_grid_one_step_short_is_caught(process: Process) -> None:
    x, n = start_of(process), 64
    solve = Solve(RungeKutta4(), Diffusion(GAUSSIAN.noisy_score(process), process))
    truth = gaussian_flow(x, process, *ends_of(process))
    times = LogUniformGrid(n)(process)
    errors = [root_mean_square(walk(solve, x, t).x - truth) for t in (times, times[:-1], times[1:])]
    assert errors[0] < 1e-5
    assert min(errors[1:]) > 100 * errors[0]


@dataclass(frozen=True)
class Doubled(Diffusion):
    """The mistake f x − g² s, without the ½."""

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        rate, diffusion = self.rates(t)
        return rate * x - diffusion * self.score(x, t)


@pytest.mark.parametrize("solver", [Euler(), Heun(), RungeKutta4()], ids=repr)
def test_a_missing_half_in_the_flow_is_caught(solver: Solver[Any]) -> None:
    process = EDM(0.1, 3.0)
    x, score = start_of(process), GAUSSIAN.noisy_score(process)
    truth = gaussian_flow(x, process, *ends_of(process))
    right, wrong = (
        root_mean_square(walk(Solve(solver, d), x, LogUniformGrid(128)(process)).x - truth)
        for d in (Diffusion(score, process), Doubled(score, process))
    )
    assert wrong > 20 * right


@pytest.mark.parametrize("process", [VE(), VP(), EDM()], ids=repr)
def test_samples_of_a_mixture_have_its_proportions_and_moments(
    process: Process, generator: torch.Generator
) -> None:
    n = 4000
    mean = MIXTURE.weights @ MIXTURE.means
    x = prior_sample(n, process, mean, generator=generator)
    # The default of 20 steps is off by less than a standard error of 4,000 rows; 40 to be sure.
    rows = probability_flow(MIXTURE.noisy_score(process), process, x, KarrasGrid(40)).x
    truth = MIXTURE.sample(200_000, generator)
    for statistic in (
        lambda y: (y[:, 0] < -0.3).double(),
        lambda y: y[:, 0],
        lambda y: y[:, 1] ** 2,
    ):
        got, expected = statistic(rows), statistic(truth)
        error = math.sqrt(got.var().item() / n + expected.var().item() / len(truth))
        assert abs((got.mean() - expected.mean()).item()) < 4 * error


def test_the_defaults_are_the_second_order_solver_on_twenty_karras_steps() -> None:
    process = EDM()
    x = prior_sample(5, process, MEAN, generator=seeded("prior"))
    score = MIXTURE.noisy_score(process)
    default = probability_flow(score, process, x)
    said = probability_flow(score, process, x, KarrasGrid(20), step=DPMSolver2M())
    assert torch.equal(default.x, said.x)
    assert default.n_evaluations == 21


def test_the_flow_records_and_reports_its_steps() -> None:
    process, told = EDM(), []
    x = prior_sample(5, process, MEAN, generator=seeded("prior"))
    result = probability_flow(
        MIXTURE.noisy_score(process), process, x, callback=told.append, record_every=5
    )
    assert len(told) == 20
    assert result.trajectory is not None
    assert result.trajectory.shape == (5, 5, 2)
    assert torch.equal(result.trajectory[0], x)


def test_a_step_that_draws_noise_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Use reverse_sde"):
        probability_flow(
            GAUSSIAN.noisy_score(EDM()), EDM(), torch.ones(2, 2), step=SDEDPMSolver2M()
        )
