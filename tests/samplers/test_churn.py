"""Heun with churn: the paper's algorithm, and its limits."""

from __future__ import annotations

import math

import pytest
import torch

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, PROCESSES, law_at, law_of_walk
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, Process
from scorematching.random import normal, seeded
from scorematching.samplers import ChurnedHeun, Diffusion, Heun, LogUniformGrid, Solve, walk
from scorematching.samplers.walk import OnlyX


def test_a_step_is_the_one_of_the_paper() -> None:
    """Algorithm 2 of Karras et al., with D for their D_θ."""
    process, gamma, s_noise = EDM(0.01, 50.0), 0.2, 1.003
    x, z = normal((2, 5, 2), MEAN, seeded("x"))
    t, t_next = torch.tensor([2.0, 1.1], dtype=F64)
    step = ChurnedHeun(gamma, s_noise)
    got = step(Diffusion(MIXTURE.noisy_score(process), process), OnlyX(x), t, t_next, z).x
    above = t + gamma * t
    x = x + (above**2 - t**2).sqrt() * s_noise * z
    slope = (x - MIXTURE.denoise(x, above.item())) / above
    end = x + (t_next - above) * slope
    second = (end - MIXTURE.denoise(end, t_next.item())) / t_next
    expected = x + (t_next - above) * (slope + second) / 2
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_without_churn_or_outside_its_levels_it_is_heun(process: Process) -> None:
    times = LogUniformGrid(6, 0.2, 2.0)(process)
    diffusion = Diffusion(MIXTURE.noisy_score(process), process)
    x = process.alpha(times[0]) * 2 * normal((5, 2), MEAN, seeded("x"))
    plain = walk(Solve(Heun(), diffusion), x, times).x
    for step in (ChurnedHeun(0.0), ChurnedHeun(0.3, low=2.5), ChurnedHeun(0.3, high=0.1)):
        churned = walk(Solve(step, diffusion), x, times, generator=seeded("z")).x
        torch.testing.assert_close(churned, plain, rtol=1e-9, atol=1e-9)


def test_noise_is_never_added_beyond_the_highest_level() -> None:
    process = EDM(0.1, 3.0)
    diffusion = Diffusion(GAUSSIAN.noisy_score(process), process)
    x, z = normal((2, 5, 2), MEAN, seeded("x"))
    top, below, next_time = torch.tensor([3.0, 2.9, 2.0], dtype=F64)
    step = ChurnedHeun(0.4)
    at_top = step(diffusion, OnlyX(x), top, next_time, z).x
    torch.testing.assert_close(
        at_top, Heun()(diffusion, OnlyX(x), top, next_time, None).x, rtol=1e-12, atol=1e-12
    )
    lifted = OnlyX(x + math.sqrt(3.0**2 - 2.9**2) * z)
    torch.testing.assert_close(
        step(diffusion, OnlyX(x), below, next_time, z).x,
        Heun()(diffusion, lifted, top, next_time, None).x,
        rtol=1e-9,
        atol=1e-9,
    )


def test_more_noise_than_a_normal_draw_shows_in_the_variance() -> None:
    process = EDM(0.1, 3.0)
    times = LogUniformGrid(40)(process)
    traces = []
    for s_noise in (1.0, 1.05):
        step = ChurnedHeun(0.05, s_noise)
        solve = Solve(step, Diffusion(GAUSSIAN.noisy_score(process), process))
        traces.append(law_of_walk(solve, times, *law_at(process, times[0]))[1].trace().item())
    expected = law_at(process, times[-1])[1].trace().item()
    assert traces[0] == pytest.approx(expected, rel=0.01)
    assert traces[1] > 1.02 * expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChurnedHeun(0.5), "√2 − 1"),
        (lambda: ChurnedHeun(-0.1), "gamma must be"),
        (lambda: ChurnedHeun(0.1, s_noise=0.0), "s_noise must be positive"),
        (lambda: ChurnedHeun(0.1, low=2.0, high=1.0), "0 ≤ low < high"),
    ],
)
def test_impossible_settings_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidInput, match=message):
        make()
