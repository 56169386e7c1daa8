"""The adaptive reverse SDE: one path of noise, kept through halving, each row by itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, law_at
from scorematching.densities import gaussian
from scorematching.errors import Diverged, InvalidInput
from scorematching.noise import EDM, VP
from scorematching.random import RowNoise, normal, seeded
from scorematching.samplers import Diffusion, LogUniformGrid, Tolerance, adaptive_sde, walk
from scorematching.samplers.adaptive_sde import AdaptiveImprovedEuler, Bisecting, noise_of

PROCESS = EDM(0.1, 10.0)
ROUGH = LogUniformGrid(2)


def start(n: int) -> Tensor:
    mean, covariance = law_at(PROCESS, torch.tensor(PROCESS.t_max, dtype=F64))
    return gaussian(mean, covariance).sample(n, seeded("start"))


def test_a_strict_tolerance_gives_the_law_of_a_gaussian(generator: torch.Generator) -> None:
    n = 4000
    mean, covariance = law_at(PROCESS, torch.tensor(PROCESS.t_min, dtype=F64))
    result = adaptive_sde(
        GAUSSIAN.noisy_score(PROCESS),
        PROCESS,
        start(n),
        ROUGH,
        tolerance=Tolerance(0.01, 0.01),
        final_denoise=False,
        generator=generator,
    )
    white = torch.linalg.solve_triangular(
        torch.linalg.cholesky(covariance), (result.x - mean).T, upper=False
    )
    assert white.mean(1).abs().max() < 4 / math.sqrt(n)
    spread = white @ white.T / n - torch.eye(2, dtype=F64)
    # 4 standard errors, and 2% for the tolerance.
    assert spread.diag().abs().max() < 4 * math.sqrt(2 / n) + 0.02
    assert spread[0, 1].abs() < 4 / math.sqrt(n) + 0.02


def test_drawing_anew_after_a_rejection_would_show() -> None:
    """Where D jumps, rejection depends on the noise; with D = 0 otherwise the path is all there is.

    The denoiser is 0 within a radius that hardly any path leaves, and far outside it wild: Euler
    and improved steps differ if the end is outside. Bisection with noise kept leaves the
    law of the path; new noise would pull the paths inside.
    """
    level = 1.0
    process = EDM(0.5, level)

    def wild(x: Tensor, t: Tensor) -> Tensor:
        denoised = torch.where(x.abs() > 1.0, 0.02 * x.sign(), 0.0)
        return (denoised - x) / t.reshape(-1, 1) ** 2

    n, tight = 20_000, Tolerance(1e-9, 1e-3)
    x = torch.zeros(n, 1, dtype=F64)
    result = adaptive_sde(
        wild,
        process,
        x,
        LogUniformGrid(1),
        tolerance=tight,
        final_denoise=False,
        generator=seeded("path"),
    )
    # y at c = 4 from u = 0 at c = 1: N(0, 3/16), but for the drift of at most 0.02.
    outside = (result.x.abs() > 1.0).double().mean().item()
    expected = math.erfc(1.0 / math.sqrt(2 * 3 / 16))
    assert outside == pytest.approx(expected, abs=4 * math.sqrt(expected / n) + 0.004)


def state_of(n: int, split: bool, fresh: bool) -> Bisecting:
    step = AdaptiveImprovedEuler(
        Diffusion(GAUSSIAN.noisy_score(PROCESS), PROCESS),
        torch.zeros(2, dtype=F64),
        Tolerance(),
        4,
    )
    flags = torch.full((n,), True)
    parent = torch.full((n, 1), 1.5, dtype=F64)
    return step.init(parent)._replace(increment=parent, split=flags & split, fresh=flags & fresh)


def test_noise_is_split_as_a_brownian_bridge() -> None:
    n = 200_000
    z = normal((n, 1), MEAN, seeded("bridge"))
    clocks = [torch.full((n,), c, dtype=F64) for c in (1.0, 1.8, 4.0)]
    left, right = noise_of(state_of(n, True, False), z, *clocks)
    torch.testing.assert_close(left + right, torch.full_like(left, 1.5))
    # Given the sum B over Δ = 3: mean B 0.8/3, variance 0.8 · 2.2/3.
    variance = 0.8 * 2.2 / 3
    assert left.mean().item() == pytest.approx(1.5 * 0.8 / 3, abs=4 * math.sqrt(variance / n))
    assert left.var().item() == pytest.approx(variance, rel=4 * math.sqrt(2 / n))


def test_new_noise_has_the_variance_of_its_piece_and_known_noise_is_left() -> None:
    z = normal((6, 1), MEAN, seeded("z"))
    clocks = [torch.full((6,), c, dtype=F64) for c in (1.0, 1.8, 4.0)]
    torch.testing.assert_close(noise_of(state_of(6, False, True), z, *clocks)[0], z * 0.8**0.5)
    kept = noise_of(state_of(6, False, False), z, *clocks)[0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1.5))


def test_a_path_without_drift_is_the_sum_of_its_noise_whatever_the_steps(
    generator: torch.Generator,
) -> None:
    """With D = 0, u ends at u₀ + N(0, c_end − c₀); the tolerance forces halving by a jump in D."""

    def silent(x: Tensor, t: Tensor) -> Tensor:
        return -x / t.reshape(-1, 1) ** 2

    n = 20_000
    x = torch.zeros(n, 1, dtype=F64)
    result = adaptive_sde(
        silent, PROCESS, x, ROUGH, final_denoise=False, generator=generator, max_depth=3
    )
    clock, later = 10.0**-2, 0.1**-2
    expected = (later - clock) / later**2
    assert result.x.var().item() == pytest.approx(expected, rel=4 * math.sqrt(2 / n))
    assert result.n_evaluations == 2 * 2


def test_a_row_alone_ends_where_it_ends_in_company() -> None:
    n, first = 192, 128
    score, x = MIXTURE.noisy_score(PROCESS), 10 * normal((n, 2), MEAN, seeded("x"))
    loose = Tolerance(0.05, 0.05)
    together = adaptive_sde(
        score, PROCESS, x, ROUGH, tolerance=loose, noise=RowNoise(0, n, ("noise",))
    )
    part = adaptive_sde(
        score,
        PROCESS,
        x[first:],
        ROUGH,
        tolerance=loose,
        noise=RowNoise(first, n - first, ("noise",)),
    )
    torch.testing.assert_close(part.x, together.x[first:])


def test_a_walk_keeps_to_the_halves_of_its_grid_and_uses_all_its_noise() -> None:
    score, x = MIXTURE.noisy_score(PROCESS), 10 * normal((50, 2), MEAN, seeded("x"))
    levels = PROCESS.noise_level(ROUGH(PROCESS)).log()
    step = AdaptiveImprovedEuler(Diffusion(score, PROCESS), levels, Tolerance(0.05, 0.05), 8)
    result = walk(
        step,
        x,
        torch.arange(400, dtype=F64),
        generator=seeded("noise"),
        until=step.arrived,
    )
    state = result.state
    assert isinstance(state, Bisecting)
    assert step.arrived(state).all()
    assert not state.known.any()
    assert state.place.eq(0).all()
    assert 20 < result.n_evaluations < 798


def test_evaluations_are_counted_and_the_last_denoising_is_tweedie_s() -> None:
    calls: list[int] = []

    def counted(x: Tensor, t: Tensor) -> Tensor:
        calls.append(len(x))
        return MIXTURE.noisy_score(PROCESS)(x, t)

    x = start(5)
    clean = adaptive_sde(counted, PROCESS, x, generator=seeded("z"))
    assert clean.n_evaluations == len(calls)
    raw = adaptive_sde(
        MIXTURE.noisy_score(PROCESS), PROCESS, x, generator=seeded("z"), final_denoise=False
    )
    torch.testing.assert_close(clean.x, MIXTURE.denoise(raw.x, PROCESS.sigma_min))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (2, 1, 2, 3)])
def test_any_event_rank_and_dtype_runs_like_its_flattened_rows(
    event: tuple[int, ...], dtype: torch.dtype
) -> None:
    process = VP()

    def standard(x: Tensor, t: Tensor) -> Tensor:
        variance = process.alpha(t) ** 2 * 0.1 + process.sigma(t) ** 2
        return -x / variance.reshape(-1, *(1,) * (x.ndim - 1))

    x = normal((3, *event), torch.zeros((), dtype=dtype), seeded("start"))
    shaped = adaptive_sde(standard, process, x, LogUniformGrid(4), generator=seeded("z")).x
    assert shaped.shape == x.shape
    assert shaped.dtype == dtype
    flat = adaptive_sde(
        standard, process, x.reshape(3, -1), LogUniformGrid(4), generator=seeded("z")
    ).x
    torch.testing.assert_close(shaped.reshape(3, -1), flat)


def test_rows_that_cannot_go_on_or_do_not_arrive_are_flagged() -> None:
    def breaking(x: Tensor, t: Tensor) -> Tensor:
        bad = (x[:, :1] > 0) & (t.expand(len(x))[:, None] < 1)
        return torch.where(bad, torch.nan, -x / (1 + t.reshape(-1, 1) ** 2))

    x = torch.tensor([[10.0], [-10.0]], dtype=F64).repeat(4, 1)
    result = adaptive_sde(breaking, PROCESS, x, generator=seeded("z"), max_depth=4)
    assert result.diverged.any()
    assert not result.diverged.all()
    assert torch.isfinite(result.x).all()
    with pytest.raises(Diverged, match="none of 8 rows arrived: 8 were under way after 2"):
        adaptive_sde(breaking, PROCESS, x, generator=seeded("z"), max_attempts=2)


def test_unusable_arguments_are_refused() -> None:
    score, x = MIXTURE.noisy_score(PROCESS), start(2)
    with pytest.raises(InvalidInput, match="max_depth"):
        adaptive_sde(score, PROCESS, x, max_depth=0)
    with pytest.raises(InvalidInput, match="max_attempts"):
        adaptive_sde(score, PROCESS, x, max_attempts=0)
