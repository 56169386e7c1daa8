"""MAP estimates: Tikhonov for a Gaussian prior, the highest peak for a mixture, any forward map."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

from claims.truths import tensor
from scorematching.densities import GaussianMixture, gaussian
from scorematching.errors import Diverged, InvalidInput
from scorematching.inverse import Measurement, map_estimate
from scorematching.noise import EDM, VE, VP, Process
from scorematching.random import normal, seeded
from scorematching.samplers import LevelGrid, LogUniformGrid

D, M, NOISE = 8, 5, 0.2
_G = seeded("map")
_ROOT = normal((D, D), tensor(0.0), _G)
COVARIANCE = _ROOT @ _ROOT.T / D + 0.05 * torch.eye(D, dtype=torch.float64)
MEAN = normal((D,), tensor(0.0), _G)
A = normal((M, D), tensor(0.0), _G)
GAUSSIAN = gaussian(MEAN, COVARIANCE)
LINEAR = Measurement(lambda x: x @ A.T.to(x), NOISE)
PROCESSES = (EDM(1e-4, 100.0), VE(1e-4, 100.0), VP(0.1, 24.0, t_min=1e-8))

TWO = GaussianMixture(
    tensor([0.35, 0.65]),
    tensor([[-1.5, 0.0], [1.5, 0.5]]),
    tensor([[[0.1, 0.0], [0.0, 0.2]], [[0.2, 0.1], [0.1, 0.2]]]),
)


def tikhonov(y: Tensor, covariance: Tensor) -> Tensor:
    """argmin ½‖y − Ax‖²/σ_y² + ½ (x − μ)ᵀ C⁻¹ (x − μ), by the normal equations."""
    precision = torch.linalg.inv(covariance)
    right = y @ A / NOISE**2 + MEAN @ precision
    return torch.linalg.solve(A.T @ A / NOISE**2 + precision, right.T).T


def minus_log_posterior(x: Tensor, y: Tensor, measurement: Measurement, sigma: float) -> Tensor:
    """Up to a constant, of `TWO` blurred by sigma; ``(n,)``."""
    levels = x.new_full((len(x),), sigma)
    prior = TWO.diffused_log_density(x, torch.ones_like(levels), levels)
    misfit = ((y - measurement.forward(x)) ** 2).sum(1) / (2 * measurement.noise**2)
    return misfit - prior


# ------------------------------------------------------------------------------ Gaussian priors


@pytest.mark.parametrize("process", PROCESSES, ids=lambda each: type(each).__name__)
def test_with_a_gaussian_prior_it_is_tikhonov(process: Process) -> None:
    y = LINEAR.simulate(GAUSSIAN.sample(6, seeded("x")), seeded("y"))
    start = normal((6, D), MEAN, seeded("start"))
    result = map_estimate(GAUSSIAN.noisy_score(process), process, y, LINEAR, start)
    assert result.converged.all()
    assert result.imbalance.max().item() < 1e-6
    assert (result.x - tikhonov(y, COVARIANCE)).abs().max().item() < 1e-6


@pytest.mark.parametrize("process", [EDM(0.02, 30.0), VP()], ids=["EDM", "VP"])
def test_every_level_of_the_path_is_tikhonov_with_the_blurred_prior(process: Process) -> None:
    """For VP the rows are scaled by α, from 0.03 to 1 on this path."""
    grid = LogUniformGrid(6, 0.02, 30.0)
    y = LINEAR.simulate(GAUSSIAN.sample(3, seeded("x")), seeded("y"))
    start = MEAN.expand(3, D)
    result = map_estimate(
        GAUSSIAN.noisy_score(process), process, y, LINEAR, start,
        grid=grid, tolerance=1e-10, record=True,
    )  # fmt: skip
    assert result.trajectory is not None
    assert result.trajectory.shape == (8, 3, D)
    torch.testing.assert_close(result.levels, process.noise_level(grid(process)))
    torch.testing.assert_close(result.trajectory[0], start)
    torch.testing.assert_close(result.trajectory[-1], result.x)
    for sigma, x in zip(result.levels, result.trajectory[1:], strict=True):
        blurred = COVARIANCE + sigma**2 * torch.eye(D, dtype=torch.float64)
        torch.testing.assert_close(x, tikhonov(y, blurred), rtol=0, atol=2e-4)


def test_single_precision_comes_close() -> None:
    process = EDM(1e-3, 100.0)
    y = LINEAR.simulate(GAUSSIAN.sample(6, seeded("x")), seeded("y"))
    score, start = GAUSSIAN.noisy_score(process), MEAN.float().expand(6, D)
    result = map_estimate(score, process, y.float(), LINEAR, start)
    assert result.x.dtype == torch.float32
    assert result.converged.all()
    assert (result.x - tikhonov(y, COVARIANCE)).abs().max().item() < 5e-3


@pytest.mark.parametrize("event", [(), (3,), (1, 2, 2)])
def test_any_event_rank(event: tuple[int, ...]) -> None:
    """x itself is seen, under N(0, I): y (1 + σ²)/(1 + σ² + σ_y²)."""
    y = normal((4, *event), tensor(0.0), seeded("y"))
    process, seen = EDM(0.1, 10.0), Measurement(lambda x: x, 0.5)
    result = map_estimate(lambda x, t: -x / (1 + t**2), process, y, seen, torch.zeros_like(y))
    torch.testing.assert_close(result.x, y * 1.01 / (1.01 + 0.25), rtol=1e-6, atol=1e-8)


# ------------------------------------------------------------------------------ other priors


def test_the_path_from_smooth_to_sharp_finds_the_highest_peak_from_any_start() -> None:
    """A sum is seen, which leaves a peak near either mode; without the path starts decide."""
    seen, process = Measurement(lambda x: x.sum(1, keepdim=True), 1.0), EDM(0.02, 30.0)
    y = tensor([[-1.0], [0.6], [1.5]]).repeat_interleave(2, 0)
    start = tensor([[-1.5, 0.0], [1.5, 0.5]]).repeat(3, 1)
    axis = torch.linspace(-3, 3, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    peaks = []
    for each in y:
        cost = minus_log_posterior(grid, each.expand(len(grid), 1), seen, 0.02)
        peaks.append(grid[cost.argmin()])
    score = TWO.noisy_score(process)
    followed = map_estimate(score, process, y, seen, start)
    assert followed.converged.all()
    torch.testing.assert_close(followed.x, torch.stack(peaks), rtol=0, atol=0.02)
    sharp = map_estimate(score, process, y, seen, start, grid=LevelGrid((0.021, 0.02)))
    gaps = (sharp.x[::2] - sharp.x[1::2]).norm(dim=1)
    assert (gaps > 1).all()


def test_a_curved_forward_map_ends_at_a_minimum_of_the_posterior() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0] ** 2 + x[:, 1], torch.sin(2 * x[:, 1])], 1)

    seen, process = Measurement(forward, 0.3), EDM(0.05, 20.0)
    y = seen.simulate(TWO.sample(20, seeded("x")), seeded("y"))
    result = map_estimate(TWO.noisy_score(process), process, y, seen, torch.zeros_like(y))
    assert result.converged.all()

    def cost(x: Tensor) -> Tensor:
        return minus_log_posterior(x, y, seen, 0.05).sum()

    slope = torch.autograd.functional.jacobian(cost, result.x)
    assert slope.abs().max().item() < 1e-5
    hessian = torch.autograd.functional.hessian(cost, result.x)
    own = torch.stack([hessian[i, :, i] for i in range(20)])
    assert torch.linalg.eigvalsh(own).min().item() > 0


# ------------------------------------------------------------------------------ the rest


def test_rows_that_do_not_converge_are_flagged_with_a_warning() -> None:
    y = LINEAR.simulate(GAUSSIAN.sample(2, seeded("x")), seeded("y"))
    score = GAUSSIAN.noisy_score(PROCESSES[0])
    with pytest.warns(RuntimeWarning, match="2 of 2 rows did not converge in 1 steps"):
        result = map_estimate(
            score, PROCESSES[0], y, LINEAR, torch.zeros(2, D, dtype=y.dtype), max_steps=1,
            tolerance=1e-12,
        )  # fmt: skip
    assert not result.converged.any()
    assert result.x.isfinite().all()


def test_a_score_that_is_no_number_is_an_error_if_it_is_in_all_rows() -> None:
    y = torch.zeros(2, M, dtype=torch.float64)

    def score(x: Tensor, t: Tensor) -> Tensor:
        return torch.where(x[:, :1] > 0, torch.nan, -x / (1 + t**2))

    start = torch.ones(2, D, dtype=torch.float64)
    with pytest.raises(Diverged, match="all 2 rows"):
        map_estimate(score, EDM(), y, LINEAR, start)


def test_nothing_is_warned_of_where_all_is_well() -> None:
    y = LINEAR.simulate(GAUSSIAN.sample(2, seeded("x")), seeded("y"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        process = EDM()
        map_estimate(GAUSSIAN.noisy_score(process), process, y, LINEAR, MEAN.expand(2, D))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must lie in"),
        ({"max_steps": 0}, "max_steps"),
        ({"start": torch.zeros(3, D, dtype=torch.float64)}, "one row for each signal"),
        ({"start": torch.zeros(2, D)}, "of one dtype"),
        ({"start": torch.full((2, D), torch.inf, dtype=torch.float64)}, "start must be finite"),
        ({"grid": lambda process: torch.tensor([0.1, 1.0], dtype=torch.float64)}, "must fall"),
    ],
)
def test_impossible_requests_are_refused(options: dict[str, object], message: str) -> None:
    y = torch.zeros(2, M, dtype=torch.float64)
    arguments = {"start": torch.zeros(2, D, dtype=torch.float64)} | options
    with pytest.raises(InvalidInput, match=message):
        map_estimate(
            lambda x, t: -x, EDM(), y, LINEAR, **arguments  # type: ignore[arg-type]
        )  # fmt: skip
