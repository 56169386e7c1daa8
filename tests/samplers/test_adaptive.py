"""Adaptive flows: the tolerance, each row by itself, and rows that cannot go on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, gaussian_flow, root_mean_square
from scorematching.errors import Diverged, InvalidInput
from scorematching.noise import EDM, VP, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    BOGACKI_SHAMPINE,
    DORMAND_PRINCE,
    Diffusion,
    Pair,
    Progress,
    RungeKutta4,
    Tolerance,
    adaptive_flow,
    probability_flow,
)
from scorematching.samplers.adaptive import AdaptiveRungeKutta
from scorematching.samplers.grids import LogUniformGrid

PROCESS = EDM(0.05, 20.0)
PAIRS = pytest.mark.parametrize("pair", [BOGACKI_SHAMPINE, DORMAND_PRINCE], ids=repr)


def start(n: int, process: Process = PROCESS) -> Tensor:
    t = torch.tensor(process.t_max, dtype=F64)
    return process.sigma(t) * normal((n, 2), MEAN, seeded("start"))


@PAIRS
def test_the_error_falls_with_the_tolerance(pair: Pair) -> None:
    score, x = MIXTURE.noisy_score(PROCESS), start(20)
    truth = probability_flow(
        score, PROCESS, x, LogUniformGrid(400), step=RungeKutta4(), final_denoise=False
    ).x
    errors, costs = [], []
    for tolerance in (1e-3, 1e-5, 1e-7):
        allowed = Tolerance(tolerance, tolerance)
        result = adaptive_flow(score, PROCESS, x, tolerance=allowed, pair=pair, final_denoise=False)
        errors.append(root_mean_square(result.x - truth))
        costs.append(result.n_evaluations)
        assert not result.diverged.any()
    assert errors[0] < 0.03
    assert errors[1] < 3e-4
    assert errors[2] < errors[1] / 10
    assert costs == sorted(costs)


@pytest.mark.parametrize("process", [VP(), PROCESS], ids=repr)
def test_the_flow_of_a_gaussian_is_met_from_the_process_s_own_ends(process: Process) -> None:
    x = start(6, process)
    ends = torch.tensor([process.t_max, process.t_min], dtype=F64)
    result = adaptive_flow(
        GAUSSIAN.noisy_score(process),
        process,
        x,
        tolerance=Tolerance(1e-7, 1e-7),
        final_denoise=False,
    )
    torch.testing.assert_close(result.x, gaussian_flow(x, process, *ends), rtol=1e-5, atol=1e-5)


def test_a_row_alone_ends_where_it_ends_in_company() -> None:
    score, x, strict = MIXTURE.noisy_score(PROCESS), start(12), Tolerance(1e-5, 1e-5)
    together = adaptive_flow(score, PROCESS, x, tolerance=strict)
    alone = [adaptive_flow(score, PROCESS, row[None], tolerance=strict) for row in x]
    torch.testing.assert_close(torch.cat([each.x for each in alone]), together.x)
    # The slowest row decides how many evaluations are made.
    assert together.n_evaluations == max(each.n_evaluations for each in alone)
    assert min(each.n_evaluations for each in alone) < together.n_evaluations


def test_a_step_of_too_great_an_error_is_not_taken_and_the_next_is_shorter() -> None:
    diffusion = Diffusion(MIXTURE.noisy_score(PROCESS), PROCESS)
    strict = Tolerance(1e-12, 1e-12)
    step = AdaptiveRungeKutta(diffusion, DORMAND_PRINCE, strict, math.log(2.0), math.log(0.1))
    before = step.init(2 * normal((4, 2), MEAN, seeded("x")))
    t = torch.tensor(0.0, dtype=F64)
    after = step(before, t, t, None)
    assert torch.equal(after.x, before.x)
    assert torch.equal(after.log_level, before.log_level)
    assert (after.step < 0.5 * before.step).all()
    loose = replace(step, tolerance=Tolerance())(before, t, t, None)
    assert torch.equal(loose.log_level, before.log_level - before.step)
    assert (loose.step > before.step).all()


def test_evaluations_are_counted_as_they_are_made() -> None:
    calls: list[torch.Size] = []

    def counted(x: Tensor, t: Tensor) -> Tensor:
        calls.append(t.shape)
        return MIXTURE.noisy_score(PROCESS)(x, t)

    told: list[Progress] = []
    result = adaptive_flow(counted, PROCESS, start(5), callback=told.append)
    assert result.n_evaluations == len(calls) == 1 + 6 * len(told) + 1
    assert {*calls[:-1]} == {torch.Size([5])}


def test_the_last_denoising_is_tweedie_s() -> None:
    score, x = MIXTURE.noisy_score(PROCESS), start(5)
    raw, clean = (adaptive_flow(score, PROCESS, x, final_denoise=each).x for each in (False, True))
    torch.testing.assert_close(clean, MIXTURE.denoise(raw, PROCESS.sigma_min))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (1, 2, 3), (2, 1, 2, 3)])
def test_any_event_rank_and_dtype_runs_like_its_flattened_rows(
    event: tuple[int, ...], dtype: torch.dtype
) -> None:
    def narrow(x: Tensor, t: Tensor) -> Tensor:
        return -x / (0.1 + t**2).reshape(-1, *(1,) * (x.ndim - 1))

    x = 20 * normal((3, *event), torch.zeros((), dtype=dtype), seeded("start"))
    shaped = adaptive_flow(narrow, PROCESS, x).x
    assert shaped.shape == x.shape
    assert shaped.dtype == dtype
    flat = adaptive_flow(narrow, PROCESS, x.reshape(3, -1)).x
    torch.testing.assert_close(shaped.reshape(3, -1), flat)


def breaking(x: Tensor, t: Tensor) -> Tensor:
    """The score of N(0, 1), not a number for rows that start above zero once σ is below 1."""
    bad = (x[:, :1] > 0) & (t.expand(len(x))[:, None] < 1)
    return torch.where(bad, torch.nan, -x / (1 + t.reshape(-1, 1) ** 2))


def test_a_row_that_meets_what_is_no_number_is_frozen_and_flagged() -> None:
    x = torch.tensor([[20.0], [-20.0]], dtype=F64)
    result = adaptive_flow(breaking, PROCESS, x)
    assert result.diverged.tolist() == [True, False]
    assert torch.isfinite(result.x).all()
    # It stands where the flow of N(0, 1) has it at σ = 1, but for a step.
    assert result.x[0, 0].item() == pytest.approx(math.sqrt(2), rel=0.01)
    alone = adaptive_flow(breaking, PROCESS, x[1:])
    torch.testing.assert_close(alone.x, result.x[1:])
    with pytest.raises(Diverged, match="all 1 chains became non-finite"):
        adaptive_flow(breaking, PROCESS, x[:1])


def test_rows_that_do_not_arrive_in_time_are_flagged() -> None:
    score = MIXTURE.noisy_score(PROCESS)
    x, strict = start(12), Tolerance(1e-5, 1e-5)
    alone = [adaptive_flow(score, PROCESS, row[None], tolerance=strict) for row in x]
    needed = [(each.n_evaluations - 2) // 6 for each in alone]
    enough = sorted(needed)[5]
    assert enough < max(needed)
    result = adaptive_flow(score, PROCESS, x, tolerance=strict, max_attempts=enough)
    assert result.diverged.tolist() == [each > enough for each in needed]
    with pytest.raises(Diverged, match="none of 12 rows arrived: 12 were under way after 3"):
        adaptive_flow(score, PROCESS, x, max_attempts=3)


def test_no_step_passes_over_where_the_rows_part() -> None:
    """With a tolerance that allows anything, the longest step keeps the modes apart."""
    score, x = MIXTURE.noisy_score(PROCESS), start(50)
    told: list[Progress] = []
    loose = adaptive_flow(score, PROCESS, x, tolerance=Tolerance(1e3, 1e3), callback=told.append)
    assert len(told) >= math.log(20 / 0.05)
    fine = adaptive_flow(score, PROCESS, x, tolerance=Tolerance(1e-6, 1e-6))
    same = ((loose.x[:, 0] < -0.3) == (fine.x[:, 0] < -0.3)).double().mean()
    assert same > 0.9


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_tolerance_is_positive_and_finite(value: float) -> None:
    with pytest.raises(InvalidInput, match="the relative tolerance must be positive"):
        Tolerance(value, 1e-3)
    with pytest.raises(InvalidInput, match="the absolute tolerance must be positive"):
        Tolerance(1e-3, value)


def test_the_norm_is_the_root_mean_square_over_a_row_s_own_coordinates() -> None:
    error = torch.tensor([[0.3, 0.4], [torch.nan, 0.0]], dtype=F64)
    before = torch.tensor([[1.0, -2.0], [0.0, 0.0]], dtype=F64)
    after = torch.tensor([[-3.0, 1.0], [0.0, 0.0]], dtype=F64)
    ratio = Tolerance(0.1, 0.2).ratio(error, before, after)
    expected = math.sqrt(((0.3 / 0.5) ** 2 + (0.4 / 0.4) ** 2) / 2)
    assert ratio.tolist() == pytest.approx([expected, math.inf])


def test_unusable_arguments_are_refused() -> None:
    with pytest.raises(InvalidInput, match="max_attempts"):
        adaptive_flow(MIXTURE.noisy_score(PROCESS), PROCESS, start(2), max_attempts=0)
    with pytest.raises(InvalidInput, match="noise levels must lie in"):
        adaptive_flow(MIXTURE.noisy_score(PROCESS), PROCESS, start(2), sigma_max=1e3)
