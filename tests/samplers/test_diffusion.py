"""What solvers are made of: coefficients in float64, and the last denoising."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, PROCESSES
from samplers.orders import ENTRIES
from scorematching.errors import Diverged, InvalidInput
from scorematching.noise import EDM, VP, DenoiserScore, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    ConsistentAnnealed,
    Diffusion,
    KarrasGrid,
    Solver,
    probability_flow,
    reverse_sde,
)

# Steps are long here, and consistent annealing may leave no more noise than the next level has.
SOLVERS = (
    *(each for entry in ENTRIES if not isinstance(each := entry.solver(0.4), ConsistentAnnealed)),
    ConsistentAnnealed(1.0),
)


def run(solver: Solver[Any], *args: Any, **options: Any) -> Any:
    """Whichever of the two samplers the solver belongs to, noise seeded."""
    if solver.draws:
        return reverse_sde(*args, step=solver, generator=seeded("noise"), **options)
    return probability_flow(*args, step=solver, **options)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_forms_of_the_score_agree_with_the_mixture_s_own(process: Process) -> None:
    diffusion = Diffusion(MIXTURE.noisy_score(process), process)
    t = torch.tensor(0.4, dtype=F64)
    x = normal((6, 2), MEAN, seeded("x"))
    alpha, sigma = process.alpha(t), process.sigma(t)
    denoised = MIXTURE.denoise(x / alpha, sigma / alpha)
    torch.testing.assert_close(diffusion.denoised(x, t), denoised, rtol=1e-12, atol=1e-12)
    h = 1e-5  # E[dx_t/dt | x_t] = α̇ D + σ̇ (x − αD)/σ, by central differences
    slopes = [((f(t + h) - f(t - h)) / (2 * h)).item() for f in (process.alpha, process.sigma)]
    velocity = slopes[0] * denoised + slopes[1] * (x - alpha * denoised) / sigma
    torch.testing.assert_close(diffusion.velocity(x, t), velocity, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("final_denoise", [False, True])
def test_evaluations_are_counted_as_they_are_made(solver: Solver[Any], final_denoise: bool) -> None:
    calls: list[tuple[torch.Size, torch.dtype]] = []

    def counted(x: Tensor, t: Tensor) -> Tensor:
        calls.append((t.shape, t.dtype))
        return GAUSSIAN.noisy_score(EDM())(x, t)

    x = torch.ones(3, 2)
    result = run(solver, counted, EDM(), x, KarrasGrid(7), final_denoise=final_denoise)
    assert result.n_evaluations == len(calls) == 7 * solver.evaluations + final_denoise
    assert set(calls) == {(torch.Size([]), torch.float32)}


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_last_denoising_is_tweedie_s_at_the_last_time(
    solver: Solver[Any], process: Process
) -> None:
    args = (MIXTURE.noisy_score(process), process, normal((5, 2), MEAN, seeded("x")), KarrasGrid(6))
    raw, clean = run(solver, *args, final_denoise=False).x, run(solver, *args).x
    t = torch.tensor(process.t_min, dtype=F64)
    expected = MIXTURE.denoise(raw / process.alpha(t), process.noise_level(t))
    torch.testing.assert_close(clean, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (2, 3), (1, 2, 3), (2, 1, 2, 3)])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_any_event_rank_and_dtype_runs_like_its_flattened_rows(
    solver: Solver[Any], event: tuple[int, ...], dtype: torch.dtype
) -> None:
    process = VP()

    def standard(x: Tensor, t: Tensor) -> Tensor:
        return -x / (process.alpha(t) ** 2 * 0.3 + process.sigma(t) ** 2)

    x = normal((3, *event), torch.zeros((), dtype=dtype), seeded("start"))
    shaped = run(solver, standard, process, x, KarrasGrid(5)).x
    assert shaped.shape == x.shape
    assert shaped.dtype == dtype
    flat = run(solver, standard, process, x.reshape(3, -1), KarrasGrid(5)).x
    torch.testing.assert_close(shaped.reshape(3, -1), flat)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("process", [VP(), EDM()], ids=repr)
def test_single_precision_follows_double_precision(solver: Solver[Any], process: Process) -> None:
    x = normal((20, 2), MEAN.float(), seeded("x")) * process.sigma(torch.tensor(process.t_max))
    noise = GAUSSIAN.noisy_score(process)
    short = probability_flow if not solver.draws else None
    if short is None:  # the same draws in two dtypes differ, so only the deterministic ones compare
        single = reverse_sde(noise, process, x, step=solver, generator=seeded("noise")).x
        assert single.dtype == torch.float32
        assert torch.isfinite(single).all()
        return
    single, double = (short(noise, process, start, step=solver).x for start in (x, x.double()))
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_a_denoiser_can_be_sampled_from(process: Process) -> None:
    t = torch.tensor(process.t_max, dtype=F64)
    x = process.sigma(t) * normal((5, 2), MEAN, seeded("x"))
    by_denoiser = probability_flow(DenoiserScore(MIXTURE.denoise, process), process, x).x
    by_score = probability_flow(MIXTURE.noisy_score(process), process, x).x
    torch.testing.assert_close(by_denoiser, by_score, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_a_denoiser_gives_its_own_value_and_not_that_of_its_score(process: Process) -> None:
    """To the bit in single precision, where the way through x/σ² loses digits."""
    score = DenoiserScore(lambda x, sigma: x.sin() + sigma, process)
    t, x = torch.tensor(process.t_min, dtype=F64), normal((5, 2), MEAN.float(), seeded("x"))
    alpha, level = process.alpha(t.float()), process.noise_level(t.float())
    diffusion = Diffusion(score, process)
    assert torch.equal(diffusion.denoised(x, t), (x / alpha).sin() + level)
    unscaled = diffusion.denoised_unscaled(x, t)
    torch.testing.assert_close(unscaled, x.sin() + level, rtol=1e-6, atol=1e-6)


def test_a_score_of_another_process_is_taken_as_the_score_that_it_is() -> None:
    score, process, t = DenoiserScore(MIXTURE.denoise, VP()), EDM(), torch.tensor(0.4, dtype=F64)
    x = normal((5, 2), MEAN, seeded("x"))
    diffusion = Diffusion(score, process)
    torch.testing.assert_close(diffusion.denoised(x, t), x + t**2 * score(x, t))
    torch.testing.assert_close(diffusion.denoised_unscaled(x, t), x + t**2 * score(x, t))


def test_a_denoiser_that_returns_another_shape_is_refused() -> None:
    score = DenoiserScore(lambda x, sigma: x[:, :1], EDM())
    with pytest.raises(InvalidInput, match="a denoiser must return a tensor shaped like x"):
        Diffusion(score, EDM()).denoised(torch.ones(3, 2), torch.tensor(1.0, dtype=F64))


def test_a_row_that_diverges_in_the_last_denoising_is_flagged_and_left() -> None:
    def breaks(x: Tensor, t: Tensor) -> Tensor:
        ok = torch.where((t < 0.003) & (x > 0), torch.nan, 1.0)
        return -ok * x / (1 + t**2)

    x = torch.tensor([[80.0], [-80.0]], dtype=F64)
    raw = probability_flow(breaks, EDM(), x, final_denoise=False)
    clean = probability_flow(breaks, EDM(), x)
    assert raw.diverged.tolist() == [False, False]
    assert clean.diverged.tolist() == [True, False]
    assert clean.x[0] == raw.x[0]
    assert clean.x[1] != raw.x[1]
    with pytest.raises(Diverged, match="final denoising"):
        probability_flow(breaks, EDM(), x.abs())


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_times_that_do_not_decrease_are_refused(solver: Solver[Any]) -> None:
    score, x = GAUSSIAN.noisy_score(EDM()), torch.ones(2, 2, dtype=F64)
    for times in ([1.0, 2.0, 3.0], [3.0, 1.0, 1.0]):
        with pytest.raises(InvalidInput, match="times must decrease"):
            run(solver, score, EDM(), x, lambda process, times=times: torch.tensor(times))


def test_a_score_of_another_shape_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a noisy score must return a tensor shaped like x"):
        probability_flow(lambda x, t: -x[:, :1], EDM(), torch.ones(3, 2))
