"""The optimised grid: its local errors, its search, and what it gains."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, PROCESSES, root_mean_square
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    KarrasGrid,
    LogUniformGrid,
    RungeKutta4,
    UniPC,
    optimised_grid,
    probability_flow,
)
from scorematching.samplers.optimised import denoised_along, least_path, local_errors

PROCESS = EDM(0.02, 80.0)


def start(n: int, seed: str) -> Tensor:
    return 80 * normal((n, 2), MEAN, seeded(seed))


def test_the_cheapest_path_is_found() -> None:
    costs = torch.rand(8, 8, generator=seeded("costs"), dtype=F64).triu(1)
    costs[costs == 0] = torch.inf
    for n in (1, 2, 4, 7):
        every = [(0, *inner, 7) for inner in combinations(range(1, 7), n - 1)]
        best = min(every, key=lambda path: sum(costs[i, j] for i, j in pairwise(path)))
        assert least_path(costs, n) == [*best]


def test_local_errors_are_those_of_keeping_the_denoiser_along_a_step() -> None:
    """D linear in λ, which the quadrature takes it to be between the levels."""
    levels = torch.tensor([3.0, 1.7, 0.9, 0.4], dtype=F64)
    logs = (-levels.log()).tolist()
    slopes = normal((2, 3), MEAN, seeded("slopes"))
    denoised = torch.stack([1.0 + slopes * each for each in logs])
    errors = local_errors(levels, denoised)
    for i, j in combinations(range(4), 2):
        integral = quad(lambda s, i=i, j=j: math.exp(s - logs[j]) * (s - logs[i]), logs[i], logs[j])
        expected = (slopes * integral[0]).square().mean() / levels[j] ** 2
        assert errors[i, j].item() == pytest.approx(expected.item(), rel=1e-9)
    assert errors.tril().isinf().sum() == 10
    assert (
        local_errors(levels, torch.ones_like(denoised)).triu(1).nan_to_num(posinf=0).sum() < 1e-28
    )


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_denoiser_is_that_along_the_flow(process: Process) -> None:
    grid = LogUniformGrid(40)
    x = process.sigma(torch.tensor(process.t_max, dtype=F64)) * normal((4, 2), MEAN, seeded("x"))
    score = GAUSSIAN.noisy_score(process)
    denoised = denoised_along(score, process, x, grid)
    assert denoised.shape == (41, 4, 2)
    end = probability_flow(score, process, x, grid, step=RungeKutta4()).x
    torch.testing.assert_close(denoised[-1], end, rtol=1e-3, atol=1e-3)


def test_ten_evaluations_err_less_on_the_optimised_grid_than_on_others() -> None:
    score = MIXTURE.noisy_score(PROCESS)
    x = start(400, "rows")
    truth = probability_flow(score, PROCESS, x, LogUniformGrid(150), step=RungeKutta4()).x
    chosen = optimised_grid(score, PROCESS, start(100, "pilots"), 9)
    ours, karras, uniform = (
        root_mean_square(probability_flow(score, PROCESS, x, grid, step=UniPC(2)).x - truth)
        for grid in (chosen, KarrasGrid(9), LogUniformGrid(9))
    )
    assert ours < 0.5 * min(karras, uniform)


@pytest.mark.parametrize("process", [*PROCESSES, PROCESS], ids=repr)
def test_it_spans_the_levels_that_were_asked_for(process: Process) -> None:
    score = MIXTURE.noisy_score(process)
    x = process.sigma(torch.tensor(process.t_max, dtype=F64)) * normal((20, 2), MEAN, seeded("x"))
    own = optimised_grid(score, process, x, 6, n_fine=20)
    times = own(process)
    assert times.shape == (7,)
    assert times[[0, -1]].tolist() == pytest.approx([process.t_max, process.t_min], rel=1e-9)
    within = optimised_grid(score, process, x, 4, sigma_min=0.3, sigma_max=2.0, n_fine=20)
    assert [within.levels[0], within.levels[-1]] == pytest.approx([2.0, 0.3])
    assert len(within.levels) == 5
    assert [*within.levels] == sorted(within.levels, reverse=True)


def test_paths_that_diverge_are_left_out() -> None:
    def breaking(x: Tensor, t: Tensor) -> Tensor:
        score = MIXTURE.noisy_score(PROCESS)(x, t)
        return torch.where((x[:, :1] > 0) & (t < 1), torch.nan, score)

    x = start(40, "pilots")
    grid = optimised_grid(breaking, PROCESS, x, 5, n_fine=20)
    assert all(math.isfinite(level) for level in grid.levels)


def test_too_few_levels_to_choose_from_are_refused() -> None:
    with pytest.raises(InvalidInput, match="n_fine must be at least n_steps, 10: got 8"):
        optimised_grid(MIXTURE.noisy_score(PROCESS), PROCESS, start(4, "x"), 10, n_fine=8)
