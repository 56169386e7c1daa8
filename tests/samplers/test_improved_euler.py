"""The improved Euler step: white noise in the clock 1/σ², and the pair of steps it compares."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from samplers.closed_form import F64, MEAN, MIXTURE, PROCESSES, law_of_walk
from scorematching.noise import EDM, Process
from scorematching.random import normal, seeded
from scorematching.samplers import Diffusion, ImprovedEuler, LogUniformGrid, Solve
from scorematching.samplers.improved_euler import both
from scorematching.samplers.walk import OnlyX


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_step_is_heun_s_for_what_is_known_of_the_data(process: Process) -> None:
    """u = y/σ² grows by the mean of D at both ends, and by white noise."""
    t, t_next = LogUniformGrid(5)(process)[1:3]
    x, z = normal((2, 4, 2), MEAN, seeded("x"))
    got = ImprovedEuler()(Diffusion(MIXTURE.noisy_score(process), process), OnlyX(x), t, t_next, z)
    level, next_level = (process.noise_level(each).item() for each in (t, t_next))
    clock, later = level**-2, next_level**-2
    y = x / process.alpha(t)
    u = clock * y
    noise = (later - clock) ** 0.5 * z
    euler = u + (later - clock) * MIXTURE.denoise(y, level) + noise
    mean = (MIXTURE.denoise(y, level) + MIXTURE.denoise(euler / later, next_level)) / 2
    expected = process.alpha(t_next) * (u + (later - clock) * mean + noise) / later
    torch.testing.assert_close(got.x, expected, rtol=1e-10, atol=1e-10)


def test_a_point_s_law_is_kept_exactly() -> None:
    """With D = x₀ fixed every x_t is N(α x₀, σ²), in steps of any length."""
    process = EDM(0.1, 3.0)

    def pointed(x: Tensor, t: Tensor) -> Tensor:
        return (0.7 - x) / t**2

    solve = Solve(ImprovedEuler(), Diffusion(pointed, process))
    times = torch.tensor([3.0, 0.4, 0.1], dtype=F64)
    start = torch.full((1,), 0.7, dtype=F64), torch.full((1, 1), 9.0, dtype=F64)
    mean, variance = law_of_walk(solve, times, *start)
    assert mean.item() == pytest.approx(0.7, rel=1e-12)
    assert variance.item() == pytest.approx(0.01, rel=1e-12)


def test_times_may_be_one_per_row() -> None:
    process = PROCESSES[1]
    diffusion = Diffusion(MIXTURE.noisy_score(process), process)
    times = LogUniformGrid(5)(process)
    y, w = normal((2, 3, 2), MEAN, seeded("y"))
    t, t_next = times[torch.tensor([0, 2, 4])], times[torch.tensor([1, 3, 5])]
    clock, later = (process.noise_level(each) ** -2 for each in (t, t_next))
    together = both(diffusion, y, (clock, later), (t, t_next), w)
    for i in range(3):
        row = slice(i, i + 1)
        alone = both(diffusion, y[row], (clock[i], later[i]), (t[i], t_next[i]), w[row])
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one, all_of_them[row], rtol=1e-12, atol=1e-12)
