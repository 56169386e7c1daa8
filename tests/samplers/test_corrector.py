"""Predictor and corrector: a step and Langevin steps, one after the other."""

from __future__ import annotations

import pytest
import torch

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, law_at, law_of_walk
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VP
from scorematching.random import normal, seeded
from scorematching.samplers import (
    DDIM,
    Diffusion,
    DPMSolver2M,
    Euler,
    EulerMaruyama,
    LogUniformGrid,
    PredictorCorrector,
    Solve,
    reverse_sde,
)
from scorematching.samplers.multistep import Multistep
from scorematching.samplers.walk import OnlyX


@pytest.mark.parametrize("predictor", [EulerMaruyama(), Euler()], ids=repr)
@pytest.mark.parametrize("n", [1, 3])
def test_a_step_is_the_predictor_s_and_langevin_steps_at_the_time_reached(
    predictor: EulerMaruyama | Euler, n: int
) -> None:
    process, snr = VP(), 0.2
    score = MIXTURE.noisy_score(process)
    diffusion = Diffusion(score, process)
    t, t_next = LogUniformGrid(5)(process)[1:3]
    step = PredictorCorrector(predictor, snr, n)
    assert step.draws == predictor.draws + n
    assert step.evaluations == 1 + n
    x, *zs = normal((1 + step.draws, 4, 2), MEAN, seeded("x"))
    z = torch.stack(zs) if step.draws > 1 else zs[0]
    got = step(diffusion, OnlyX(x), t, t_next, z).x
    own = zs.pop(0) if predictor.draws else None
    expected = predictor(diffusion, OnlyX(x), t, t_next, own).x
    size = 2 * snr**2 * process.sigma(t_next) ** 2
    for noise in zs:
        expected = expected + size * score(expected, t_next) + (2 * size).sqrt() * noise
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_the_memory_of_the_predictor_is_kept() -> None:
    process = EDM(0.1, 3.0)
    t, t_next = LogUniformGrid(5)(process)[1:3]
    step = PredictorCorrector(DPMSolver2M())
    x, z = normal((2, 4, 2), MEAN, seeded("x"))
    state = step(Diffusion(MIXTURE.noisy_score(process), process), step.init(x), t, t_next, z)
    assert isinstance(state, Multistep)
    assert state.denoised is not None


def test_corrections_pull_a_wrong_variance_back() -> None:
    """From twice the variance: the flow keeps the excess, with a corrector it goes."""
    process = EDM(0.1, 3.0)
    times = LogUniformGrid(30)(process)
    mean, covariance = law_at(process, times[0])
    truth = law_at(process, times[-1])[1]
    excess = []
    for step in (DDIM(), PredictorCorrector(DDIM(), 0.3, 3)):
        solve = Solve(step, Diffusion(GAUSSIAN.noisy_score(process), process))
        got = law_of_walk(solve, times, mean, 2 * covariance)[1]
        excess.append(((got - truth).norm() / truth.norm()).item())
    assert excess[0] > 0.8
    assert excess[1] < 0.2


def test_at_pure_noise_the_variance_is_off_by_four_times_the_fourth_power_of_the_ratio() -> None:
    process, snr = EDM(0.1, 3.0), 0.3

    def noise_alone(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return -x / t**2

    solve = Solve(PredictorCorrector(DDIM(), snr), Diffusion(noise_alone, process))
    times = torch.tensor([2.0, 1.0], dtype=F64)
    law = torch.zeros(1, dtype=F64), torch.full((1, 1), 4.0, dtype=F64)
    assert law_of_walk(solve, times, *law)[1].item() == pytest.approx(1 + 4 * snr**4, rel=1e-12)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    process, score = EDM(0.1, 3.0), MIXTURE.noisy_score(EDM(0.1, 3.0))
    x = 3 * normal((6, 2), MEAN, seeded("x"))
    draws = normal((40, 6, 2), MEAN, seeded("z"))
    step, grid = PredictorCorrector(EulerMaruyama(), n_corrections=2), LogUniformGrid(10)
    together = reverse_sde(score, process, x, grid, step=step, noise=lambda i, x: draws[i]).x
    alone = reverse_sde(score, process, x[2:3], grid, step=step, noise=lambda i, x: draws[i, 2:3])
    torch.testing.assert_close(alone.x, together[2:3], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PredictorCorrector(Euler(), 0.0), "snr must be positive"),
        (lambda: PredictorCorrector(Euler(), 1.0), "snr must be below 1"),
        (lambda: PredictorCorrector(Euler(), 0.1, 0), "n_corrections must be an integer"),
    ],
)
def test_impossible_settings_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidInput, match=message):
        make()
