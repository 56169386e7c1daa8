"""The integral of denoising errors is −log p for the exact denoiser, and more for another."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MIXTURE
from scorematching.densities import GaussianMixture
from scorematching.errors import InvalidInput
from scorematching.likelihood import denoising_bound
from scorematching.noise import EDM, VE, VP, Process
from scorematching.random import normal, seeded

PROCESSES = (VE(0.005, 200.0), VP(0.1, 24.0), EDM(0.005, 200.0))
CUT = 0.002  # what the integral leaves out: ‖x − μ‖²/(2·200²) above, about σ_min² below


@pytest.mark.parametrize(
    ("density", "process"),
    [(GAUSSIAN, PROCESSES[0]), *((MIXTURE, process) for process in PROCESSES)],
)
def test_the_exact_score_gives_minus_the_log_density(
    density: GaussianMixture, process: Process, generator: torch.Generator
) -> None:
    x = density.sample(20, generator)
    result = denoising_bound(
        density.noisy_score(process),
        process,
        x,
        n_noise=25,
        sigma_min=0.005,
        sigma_max=200.0,
        generator=generator,
    )
    assert result.standard_error is not None
    assert result.standard_error.max().item() < 0.12
    off = (result.value + density.log_density(x)).abs()
    assert bool((off < 4 * result.standard_error + CUT).all())
    assert result.n_evaluations == 2 * 64 * 25


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_factor_on_the_integral_is_caught(
    factor: float, generator: torch.Generator
) -> None:
    """On N(0, I) the integral is zero in the mean and no factor would show; here it does."""
    process, x = EDM(0.005, 200.0), MIXTURE.sample(20, generator)
    score = MIXTURE.noisy_score(process)
    result = denoising_bound(score, process, x, n_noise=25, generator=generator)
    assert result.standard_error is not None
    constant = math.log(2 * math.pi * math.e)
    wrong = constant + factor * (result.value - constant)
    errors_off = [
        ((value + MIXTURE.log_density(x)) / (k * result.standard_error)).square().mean().sqrt()
        for value, k in ((result.value, 1), (wrong, factor))
    ]
    assert errors_off[0].item() < 2
    assert errors_off[1].item() > 5


def test_on_a_standard_normal_nothing_random_is_left_and_the_cut_integral_is_exact() -> None:
    """There the integrand is σ² (‖x‖² − d)/(1 + σ²)², and the integral over [a, b] follows."""
    process, x = EDM(0.5, 2.0), torch.tensor([[3.0, -1.0], [0.1, 0.2]], dtype=F64)

    def score(x: Tensor, t: Tensor) -> Tensor:
        return -x / (1 + t**2)

    result = denoising_bound(score, process, x, n_levels=401, n_noise=2, generator=seeded(0))
    inside = (1 / (1 + 0.5**2) - 1 / (1 + 2.0**2)) * ((x**2).sum(1) - 2) / 2
    expected = math.log(2 * math.pi * math.e) + inside
    torch.testing.assert_close(result.value, expected, rtol=0, atol=1e-4)
    assert result.standard_error is not None
    assert result.standard_error.max().item() < 1e-12


def test_another_score_gives_a_larger_mean(generator: torch.Generator) -> None:
    process, x = EDM(0.005, 200.0), MIXTURE.sample(400, generator)
    right = denoising_bound(MIXTURE.noisy_score(process), process, x, generator=generator).value
    wrong = denoising_bound(GAUSSIAN.noisy_score(process), process, x, generator=generator).value
    gap = wrong - right
    kl = (MIXTURE.log_density(x) - GAUSSIAN.log_density(x)).mean().item()
    # What the bound loses is the KL divergence, by KL = ∫ D_F dt along the noise.
    assert gap.mean().item() == pytest.approx(kl, abs=4 * gap.std().item() / 20)
    assert gap.mean().item() > 0.5


def test_the_levels_do_not_matter_once_there_are_enough(generator: torch.Generator) -> None:
    process, x = EDM(0.005, 200.0), torch.zeros(1, 2, dtype=F64).expand(2000, 2)
    score = MIXTURE.noisy_score(process)
    runs = [
        denoising_bound(score, process, x, n_levels=n, generator=generator).value for n in (40, 120)
    ]
    error = math.hypot(*(run.std().item() / math.sqrt(2000) for run in runs))
    assert abs((runs[0].mean() - runs[1].mean()).item()) < 4 * error
    truth = -MIXTURE.log_density(x[:1]).item()
    assert runs[1].mean().item() == pytest.approx(truth, abs=4 * error + CUT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (2, 2), (1, 2, 2), (2, 1, 2, 1)])
def test_any_event_rank_and_dtype(event: tuple[int, ...], dtype: torch.dtype) -> None:
    def score(x: Tensor, t: Tensor) -> Tensor:
        return -x / (1 + t**2)

    x = normal((5, *event), torch.zeros((), dtype=dtype), seeded("rows"))
    result = denoising_bound(score, EDM(), x, n_noise=5, generator=seeded("noise"))
    squares = (x.double() ** 2).reshape(5, -1).sum(1)
    truth = (squares + math.prod(event) * math.log(2 * math.pi)) / 2
    assert result.value.dtype == dtype
    assert result.standard_error is not None
    error = result.standard_error.double()
    assert bool(((result.value.double() - truth).abs() < 4.5 * error + CUT).all())


def test_a_single_pair_has_no_standard_error_and_a_seed_repeats() -> None:
    score, x = GAUSSIAN.noisy_score(EDM()), torch.ones(3, 2, dtype=F64)
    first, again = (denoising_bound(score, EDM(), x, generator=seeded(1)) for _ in range(2))
    assert first.standard_error is None
    assert torch.equal(first.value, again.value)
    assert not first.value.requires_grad


@pytest.mark.parametrize("options", [{"n_levels": 1}, {"n_noise": 0}, {"sigma_max": 1e3}])
def test_impossible_requests_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        denoising_bound(GAUSSIAN.noisy_score(EDM()), EDM(), torch.ones(2, 2), **options)  # type: ignore[arg-type]
