"""KL divergences from Fisher divergences: Gaussians in closed form, mixtures by quadrature."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import Tensor

from claims.truths import Normal, tensor
from evaluate.test_fisher import closed_form as fisher_closed_form
from scorematching.densities import GaussianMixture, gaussian
from scorematching.errors import InvalidInput
from scorematching.information import kl_divergence
from scorematching.noise import EDM, VE, VP, Process
from scorematching.random import normal, seeded

P = Normal(tensor([0.5, -1.0]), tensor([[1.0, 0.4], [0.4, 0.7]]))
Q = Normal(tensor([0.0, 0.2]), tensor([[2.0, -0.3], [-0.3, 0.5]]))
PROCESSES = (EDM(0.01, 100.0), VE(0.01, 100.0), VP(0.1, 24.0))


def mixture(weights: list[float], means: list[float], variances: list[float]) -> GaussianMixture:
    return GaussianMixture(
        tensor(weights), tensor(means)[:, None], tensor(variances)[:, None, None]
    )


ONE = mixture([0.3, 0.7], [-1.5, 1.0], [0.1, 0.3])
OTHER = mixture([0.6, 0.4], [-1.0, 1.2], [0.3, 0.2])


def noisy(density: Normal, process: Process) -> object:
    return gaussian(density.mean, density.covariance).noisy_score(process)


def quadrature(p: GaussianMixture, q: GaussianMixture) -> float:
    """∫ p ln(p/q) on a line, by the trapezoidal rule."""
    x = torch.linspace(-15, 15, 30_001, dtype=torch.float64)[:, None]
    ours, theirs = p.log_density(x), q.log_density(x)
    return torch.trapezoid(ours.exp() * (ours - theirs), x[:, 0]).item()


def estimate(p: GaussianMixture, q: GaussianMixture, process: Process, x: Tensor, **options):  # type: ignore[no-untyped-def]
    return kl_divergence(p.noisy_score(process), q.noisy_score(process), process, x, **options)


# ------------------------------------------------------------------------------ the identity


@pytest.mark.parametrize("t", [0.1, 1.0, 4.0])
def test_minus_the_slope_of_kl_in_the_variance_is_the_fisher_divergence(t: float) -> None:
    """The lecture's identity, in closed forms alone: it fixes the ½ and that t is a variance."""

    def kl(t: float) -> float:
        return P.noised(math.sqrt(t)).kl(Q.noised(math.sqrt(t))).item()

    slope = (kl(t + 1e-4) - kl(t - 1e-4)) / 2e-4
    fisher = fisher_closed_form(P.noised(math.sqrt(t)), Q.noised(math.sqrt(t)))
    assert -slope == pytest.approx(fisher, rel=1e-6)


# ------------------------------------------------------------------------------ the integral


@pytest.mark.parametrize("process", PROCESSES, ids=lambda each: type(each).__name__)
def test_between_gaussians_it_is_the_closed_form_within_a_percent(
    process: Process, generator: torch.Generator
) -> None:
    x, truth = P.sample(50_000, generator), P.kl(Q).item()
    result = kl_divergence(noisy(P, process), noisy(Q, process), process, x, generator=generator)
    assert result.standard_error < 0.004 * truth
    assert result.value == pytest.approx(truth, rel=0.01)
    assert result.value == pytest.approx(truth, abs=3.5 * result.standard_error + 0.002 * truth)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("swapped", [False, True])
def test_between_mixtures_it_is_the_integral_within_a_percent(
    swapped: bool, process: Process
) -> None:
    p, q = (OTHER, ONE) if swapped else (ONE, OTHER)
    truth, x = quadrature(p, q), p.sample(100_000, seeded("mixture", int(swapped)))
    result = estimate(p, q, process, x, generator=seeded("noise"))
    assert result.standard_error < 0.0045 * truth
    assert result.value == pytest.approx(truth, rel=0.01)
    assert result.step_error < 0.002 * truth


def test_the_integrand_is_twice_the_variance_times_the_fisher_divergence(
    generator: torch.Generator,
) -> None:
    process = EDM(0.01, 100.0)
    result = kl_divergence(
        noisy(P, process), noisy(Q, process), process, P.sample(20_000, generator),
        generator=generator,
    )  # fmt: skip
    truth = tensor(
        [
            2 * sigma**2 * fisher_closed_form(P.noised(sigma), Q.noised(sigma))
            for sigma in result.levels.tolist()
        ]
    )
    assert ((result.integrand - truth) / result.integrand_error).abs().max().item() < 4


def test_between_its_ends_it_is_the_difference_of_the_noised_divergences(
    generator: torch.Generator,
) -> None:
    process, low, high = EDM(0.01, 100.0), 0.5, 2.0
    truth = (P.noised(low).kl(Q.noised(low)) - P.noised(high).kl(Q.noised(high))).item()
    with pytest.warns(RuntimeWarning, match="leave out about"):
        result = kl_divergence(
            noisy(P, process), noisy(Q, process), process, P.sample(50_000, generator),
            sigma_min=low, sigma_max=high, generator=generator,
        )  # fmt: skip
    assert result.standard_error < 0.005 * truth
    assert result.value == pytest.approx(truth, abs=4 * result.standard_error)


def test_what_the_ends_leave_out_is_estimated(generator: torch.Generator) -> None:
    process, low, high = EDM(0.01, 100.0), 0.05, 20.0
    result = kl_divergence(
        noisy(P, process), noisy(Q, process), process, P.sample(20_000, generator),
        sigma_min=low, sigma_max=high, generator=generator,
    )  # fmt: skip
    below = (P.kl(Q) - P.noised(low).kl(Q.noised(low))).item()
    assert result.below == pytest.approx(below, rel=0.1)
    assert result.above == pytest.approx(P.noised(high).kl(Q.noised(high)).item(), rel=0.1)


def test_equal_densities_have_none() -> None:
    process, x = EDM(0.01, 100.0), ONE.sample(100, seeded("x"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = estimate(ONE, ONE, process, x)
    assert (result.value, result.standard_error, result.below, result.above) == (0, 0, 0, 0)


# ------------------------------------------------------------------------------ its error


@pytest.mark.parametrize("n_noise", [1, 4])
def test_the_standard_error_is_the_spread_of_the_estimate(
    n_noise: int, generator: torch.Generator
) -> None:
    """With many draws a row, an error that took draws for independent rows would be too small.

    N(0, 1) against N(0, 9): the truth is (1/9 − 1 + ln 9)/2.
    """
    process, truth = EDM(0.01, 100.0), (1 / 9 - 1 + math.log(9)) / 2
    off = []
    for _ in range(100):
        x = normal((200,), torch.zeros((), dtype=torch.float64), generator)
        result = kl_divergence(
            lambda x, t: -x / (1 + t**2), lambda x, t: -x / (9 + t**2), process, x,
            n_levels=10, n_noise=n_noise, generator=generator,
        )  # fmt: skip
        off.append((result.value - truth) / result.standard_error)
    # Known to 1/√200 = 7%; the spread of the standard error itself adds a little.
    assert tensor(off).std().item() == pytest.approx(1, abs=0.28)
    assert abs(tensor(off).mean().item()) < 0.4


# ------------------------------------------------------------------------------ the rest


@pytest.mark.parametrize("event", [(), (3,), (2, 2), (1, 2, 2), (2, 1, 2, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_event_rank_and_dtype(event: tuple[int, ...], dtype: torch.dtype) -> None:
    """N(0, I) against N(1, I): the gap of the scores is 1/(1 + σ²) everywhere, and KL is d/2."""
    process, d = EDM(0.01, 100.0), math.prod(event)
    x = normal((5, *event), torch.zeros((), dtype=dtype), seeded("rows"))
    result = kl_divergence(
        lambda x, t: -x / (1 + t**2), lambda x, t: (1 - x) / (1 + t**2), process, x
    )
    inside = (1 / (1 + 0.01**2) - 1 / (1 + 100.0**2)) * d / 2
    assert result.value == pytest.approx(inside, rel=1e-4)
    assert result.standard_error < 1e-5 * d


def test_a_generator_repeats_and_no_graph_is_kept() -> None:
    x = ONE.sample(50, seeded("x"))
    first, again = (estimate(ONE, OTHER, EDM(), x, generator=seeded(1)) for _ in range(2))
    assert torch.equal(first.per_row, again.per_row)
    assert first.value == pytest.approx(first.per_row.mean().item())
    assert not first.per_row.requires_grad


@pytest.mark.parametrize(
    "options", [{"n_levels": 1}, {"n_levels": 0}, {"n_noise": 0}, {"sigma_max": 1e3}]
)
def test_impossible_requests_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        estimate(ONE, OTHER, EDM(), ONE.sample(5, seeded("x")), **options)


def test_a_single_row_and_a_score_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least two rows"):
        estimate(ONE, OTHER, EDM(), torch.zeros(1, 1))
    with pytest.raises(InvalidInput, match="score_q must return"):
        kl_divergence(lambda x, t: x, lambda x, t: x[:, :1], EDM(), torch.zeros(4, 2))
