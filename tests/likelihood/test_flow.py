"""Log-densities along the flow, against densities that are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from samplers.closed_form import COVARIANCE, F64, GAUSSIAN, MEAN, MIXTURE, order_of
from scorematching.densities import GaussianMixture
from scorematching.errors import InvalidInput
from scorematching.hutchinson import Hutchinson
from scorematching.likelihood import FixedProbes, FlowLogDensity, flow_log_density
from scorematching.noise import (
    EDM,
    VE,
    VP,
    Cosine,
    DenoiserScore,
    Ladder,
    Process,
    SquareRoot,
    StraightLine,
    SubVP,
)
from scorematching.random import normal, seeded
from scorematching.samplers import NoisedGaussian

PROCESSES = (
    VE(),
    VP(),
    SubVP(),
    Cosine(),
    EDM(),
    Ladder.geometric(0.01, 50.0, 10),
    StraightLine(),
    SquareRoot(),
)


@dataclass(frozen=True)
class Noised:
    """The exact density of a mixture's rows at one noise level."""

    density: GaussianMixture
    level: float

    def log_density(self, x: Tensor) -> Tensor:
        one = torch.ones_like(x[:, 0])
        return self.density.diffused_log_density(x, one, one * self.level)


def levels_of(process: Process) -> tuple[float, float]:
    low, high = process.noise_level(torch.tensor([process.t_min, process.t_max], dtype=F64))
    return low.item(), high.item()


def measured(
    density: GaussianMixture, process: Process, x: Tensor, **options: Any
) -> FlowLogDensity:
    """flow_log_density with the exact score and, unless told otherwise, the exact prior."""
    options.setdefault("prior", Noised(density, levels_of(process)[1]))
    return flow_log_density(density.noisy_score(process), process, x, **options)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
@pytest.mark.parametrize("density", [GAUSSIAN, MIXTURE], ids=["Gaussian", "mixture"])
def test_exact_scores_give_log_densities_to_a_ten_thousandth_of_a_nat(
    density: GaussianMixture, process: Process
) -> None:
    x = density.sample(40, seeded("rows"))
    result = measured(density, process, x)
    truth = Noised(density, levels_of(process)[0]).log_density(x)
    torch.testing.assert_close(result.value, truth, rtol=0, atol=1e-4)
    # The lowest levels blur by so little that this is the density of the data as well.
    torch.testing.assert_close(result.value, density.log_density(x), rtol=0, atol=2e-3)


def test_a_gaussian_prior_costs_a_mixture_less_than_a_ten_thousandth_of_a_nat() -> None:
    process, x = EDM(0.002, 80.0), MIXTURE.sample(40, seeded("rows"))
    mean = MIXTURE.weights @ MIXTURE.means
    second = MIXTURE.covariances + MIXTURE.means[:, :, None] * MIXTURE.means[:, None, :]
    covariance = (MIXTURE.weights[:, None, None] * second).sum(0) - mean[:, None] * mean
    prior = NoisedGaussian(mean, covariance, 80.0)
    value = measured(MIXTURE, process, x, prior=prior).value
    truth = Noised(MIXTURE, 0.002).log_density(x)
    torch.testing.assert_close(value, truth, rtol=0, atol=1e-4)


def test_the_default_prior_is_that_of_standardised_data() -> None:
    process, x = EDM(0.01, 10.0), GAUSSIAN.sample(10, seeded("rows"))
    default = measured(GAUSSIAN, process, x, prior=None).value
    prior = NoisedGaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64), 10.0)
    said = measured(GAUSSIAN, process, x, prior=prior).value
    torch.testing.assert_close(default, said, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("density", "process"),
    [(GAUSSIAN, VP()), (MIXTURE, VE()), (MIXTURE, VP()), (MIXTURE, EDM())],
)
def test_the_error_is_of_fourth_order_in_the_number_of_steps(
    density: GaussianMixture, process: Process
) -> None:
    x = density.sample(8, seeded("rows"))
    low, high = 0.1, 5.0
    truth = Noised(density, low).log_density(x)
    steps = [16, 24, 32, 48, 64]
    options = {"sigma_min": low, "sigma_max": high, "prior": Noised(density, high)}
    errors = [
        (measured(density, process, x, n_steps=n, step_doubling=False, **options).value - truth)
        .abs()
        .mean()
        .item()
        for n in steps
    ]
    assert abs(order_of(steps, errors) - 4) < 0.15, errors


@pytest.mark.parametrize("density", [GAUSSIAN, MIXTURE], ids=["Gaussian", "mixture"])
@pytest.mark.parametrize("factor", [2.0, 0.5, -1.0])
def test_a_wrong_factor_or_sign_in_the_flow_is_caught(
    density: GaussianMixture, factor: float
) -> None:
    """A score times 2 is g² in place of ½g²; times −1 the flow runs the other way."""
    process, x = EDM(0.01, 10.0), density.sample(10, seeded("rows"))
    score = density.noisy_score(process)
    prior = Noised(density, 10.0)
    wrong = flow_log_density(
        lambda x, t: factor * score(x, t), process, x, prior=prior, n_steps=12
    ).value
    assert bool(((wrong - density.log_density(x)).abs() > 0.1).all())


def test_the_step_error_is_fifteen_times_the_error_of_the_value() -> None:
    process, x = EDM(0.05, 10.0), MIXTURE.sample(30, seeded("rows"))
    result = measured(MIXTURE, process, x, n_steps=64)
    error = (result.value - Noised(MIXTURE, 0.05).log_density(x)).abs()
    assert result.step_error is not None
    assert result.step_error.shape == (30,)
    assert 10 < (result.step_error.mean() / error.mean()).item() < 20


@pytest.mark.parametrize("trace", [None, FixedProbes(2, seed=3)], ids=["exact", "probes"])
def test_a_row_s_log_density_does_not_depend_on_the_other_rows(trace: FixedProbes | None) -> None:
    process, x = VP(), MIXTURE.sample(7, seeded("rows"))
    together = measured(MIXTURE, process, x, trace=trace, n_steps=8)
    backwards = measured(MIXTURE, process, x.flip(0), trace=trace, n_steps=8)
    chunked = measured(MIXTURE, process, x, trace=trace, n_steps=8, chunk_size=3)
    alone = measured(MIXTURE, process, x[4:5], trace=trace, n_steps=8)
    far = torch.cat([x, torch.full((1, 2), 1e6, dtype=F64)])
    disturbed = measured(MIXTURE, process, far, trace=trace, n_steps=8)
    for name in (
        ("value", "step_error") if trace is None else ("value", "step_error", "probe_error")
    ):
        expected = getattr(together, name)
        for other in (
            getattr(backwards, name).flip(0),
            getattr(chunked, name),
            getattr(disturbed, name)[:7],
        ):
            torch.testing.assert_close(other, expected, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(getattr(alone, name), expected[4:5], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("event", [(), (3,), (2, 2), (1, 2, 2), (2, 1, 2, 1)])
def test_any_event_rank_and_dtype(event: tuple[int, ...], dtype: torch.dtype) -> None:
    """Independent N(0.2, 0.5) entries: the score acts entry by entry."""
    process = EDM(0.01, 10.0)

    def score(x: Tensor, t: Tensor) -> Tensor:
        return -(x - 0.2) / (0.5 + t**2)

    x = normal((5, *event), torch.zeros((), dtype=dtype), seeded("rows"))
    mean = torch.full(event, 0.2, dtype=dtype)
    d = mean.numel()
    prior = NoisedGaussian(mean, torch.eye(d) * 0.5, 10.0)
    result = flow_log_density(score, process, x, prior=prior)
    variance = 0.5 + 0.01**2
    squares = ((x.double() - 0.2) ** 2).reshape(5, -1).sum(1)
    truth = -squares / (2 * variance) - d / 2 * math.log(2 * math.pi * variance)
    assert result.value.dtype == dtype
    assert result.value.shape == (5,)
    torch.testing.assert_close(result.value.double(), truth, rtol=1e-4, atol=1e-4)


def test_single_precision_is_good_to_a_thousandth_of_a_nat() -> None:
    process, x = VP(), MIXTURE.sample(20, seeded("rows"))
    double = measured(MIXTURE, process, x).value
    single = measured(MIXTURE, process, x.float()).value
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-3)


def test_evaluations_are_counted_as_they_are_made() -> None:
    calls: list[int] = []

    def counted(x: Tensor, t: Tensor) -> Tensor:
        calls.append(len(x))
        return GAUSSIAN.noisy_score(EDM())(x, t)

    x = GAUSSIAN.sample(3, seeded("rows"))
    assert flow_log_density(counted, EDM(), x, n_steps=6).n_evaluations == len(calls) == 36
    calls.clear()
    once = flow_log_density(counted, EDM(), x, n_steps=5, step_doubling=False)
    assert once.n_evaluations == len(calls) == 20
    assert once.step_error is None


def test_a_denoiser_can_be_asked_for_log_densities() -> None:
    process, x = EDM(), MIXTURE.sample(10, seeded("rows"))
    by_score = measured(MIXTURE, process, x).value
    denoiser = DenoiserScore(MIXTURE.denoise, process)
    prior = Noised(MIXTURE, 80.0)
    by_denoiser = flow_log_density(denoiser, process, x, prior=prior).value
    torch.testing.assert_close(by_denoiser, by_score, rtol=1e-8, atol=1e-8)


def test_one_probe_four_probes_and_the_exact_trace_agree_within_their_standard_errors() -> None:
    process, x = EDM(0.05, 10.0), MIXTURE.sample(6, seeded("rows"))
    options: dict[str, Any] = {"n_steps": 4, "step_doubling": False}
    exact = measured(MIXTURE, process, x, **options).value
    seeds = range(40)
    for n_probes in (1, 4):
        runs = [
            measured(MIXTURE, process, x, trace=FixedProbes(n_probes, seed=s), **options)
            for s in seeds
        ]
        values = torch.stack([run.value for run in runs])
        spread = values.std(0)
        assert bool(((values.mean(0) - exact).abs() < 4 * spread / math.sqrt(len(seeds))).all())
        if n_probes == 1:
            assert runs[0].probe_error is None
            single = spread
        else:
            reported = torch.stack([run.probe_error for run in runs])  # type: ignore[arg-type]
            ratio = (reported**2).mean(0).sqrt() / spread
            assert bool(((ratio > 0.7) & (ratio < 1.4)).all())
            halved = (spread / single).mean().item()  # the mean over probes forgotten: 2, not ½
            assert 0.35 < halved < 0.65


def test_probes_drawn_anew_at_every_call_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"FixedProbes\(n_probes=3, seed=0\)"):
        measured(GAUSSIAN, EDM(), torch.ones(2, 2, dtype=F64), trace=Hutchinson(3))


def test_a_row_that_diverges_is_not_finite_and_disturbs_no_other() -> None:
    process, x = EDM(), MIXTURE.sample(3, seeded("rows"))
    bad = x.clone()
    bad[1, 0] = torch.nan
    value, expected = (measured(MIXTURE, process, rows, n_steps=8).value for rows in (bad, x))
    assert torch.isfinite(value).tolist() == [True, False, True]
    torch.testing.assert_close(value[[0, 2]], expected[[0, 2]])


def test_no_graph_is_kept() -> None:
    weight = torch.ones((), dtype=F64, requires_grad=True)
    score = GAUSSIAN.noisy_score(EDM())
    x = torch.ones(2, 2, dtype=F64, requires_grad=True)
    result = flow_log_density(lambda x, t: weight * score(x, t), EDM(), x, n_steps=4)
    assert not result.value.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 5}, r"even n_steps: got 5. Pass n_steps=6, or step_doubling=False"),
        ({"n_steps": 0}, "n_steps must be an integer of at least 1"),
        ({"chunk_size": 0}, "chunk_size must be an integer of at least 1"),
        ({"sigma_max": 100.0}, "noise levels must lie in"),
        ({"sigma_min": 5.0, "sigma_max": 1.0}, "sigma_min < sigma_max"),
        ({"prior": NoisedGaussian(torch.zeros(3), None, 80.0)}, "shape of the mean"),
    ],
)
def test_impossible_requests_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        measured(GAUSSIAN, EDM(), torch.ones(2, 2, dtype=F64), **options)


def test_no_rows_give_no_values() -> None:
    result = measured(GAUSSIAN, EDM(), torch.ones(0, 2, dtype=F64), n_steps=2)
    assert result.value.shape == (0,)


def test_a_correlated_gaussian_is_not_a_product() -> None:
    """The trace alone would not see the correlation; the transported row does."""
    process, x = EDM(), MEAN + torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=F64)
    value = measured(GAUSSIAN, process, x, prior=NoisedGaussian(MEAN, COVARIANCE, 80.0)).value
    quadratic = (x - MEAN) @ torch.linalg.inv(COVARIANCE)
    gap = -((quadratic[0] @ (x[0] - MEAN)) - (quadratic[1] @ (x[1] - MEAN))) / 2
    assert (value[0] - value[1]).item() == pytest.approx(gap.item(), abs=1e-3)
