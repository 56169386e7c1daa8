"""Exponential multistep solvers: weights by quadrature, what they integrate exactly, starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from samplers.closed_form import F64, GAUSSIAN, MEAN, gaussian_flow, order_of, root_mean_square
from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VP, Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    Diffusion,
    DPMSolver3M,
    LogUniformGrid,
    Solve,
    Solver,
    UniPC,
    walk,
)
from scorematching.samplers.multistep import (
    History,
    Point,
    moment,
    predicted,
    quadrature,
)


@pytest.mark.parametrize("h", [1e-6, 0.01, 0.5, 0.999, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("i", [0, 1, 2, 3])
def test_the_moments_are_the_integrals(i: int, h: float) -> None:
    value = quad(lambda u: h * math.exp(-h * (1 - u)) * u**i, 0, 1, epsabs=0, epsrel=1e-12)[0]
    assert moment(i, h) == pytest.approx(value, rel=1e-11)


@pytest.mark.parametrize("nodes", [[0.0], [0.0, -0.7], [1.0, 0.0, -0.7], [1.0, 0.0, -0.7, -2.1]])
@pytest.mark.parametrize("h", [0.05, 1.5])
def test_the_weights_integrate_polynomials_exactly(nodes: list[float], h: float) -> None:
    for power in range(len(nodes)):
        found = sum(w * u**power for w, u in zip(quadrature(nodes, h), nodes, strict=True))
        assert found == pytest.approx(moment(power, h), rel=1e-11, abs=1e-15)
    over = sum(w * u ** len(nodes) for w, u in zip(quadrature(nodes, h), nodes, strict=True))
    assert abs(over - moment(len(nodes), h)) > 1e-3 * moment(len(nodes), h)


@dataclass(frozen=True)
class Prescribed:
    """The score of a denoiser that depends on λ alone: D = Σ cᵢ λ^i."""

    process: Process
    coefficients: tuple[float, ...]

    def denoised(self, log_ratio: float) -> float:
        return sum(c * log_ratio**i for i, c in enumerate(self.coefficients))

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        return (alpha * self.denoised((alpha / sigma).log().item()) - x) / sigma**2


def exact(score: Prescribed, x: Tensor, times: Tensor) -> Tensor:
    """The end of dx = … of a prescribed denoiser, by adaptive quadrature."""
    process = score.process
    start, end = (-process.noise_level(t).log().item() for t in (times[0], times[-1]))
    gained = quad(lambda s: math.exp(s - end) * score.denoised(s), start, end, epsrel=1e-12)[0]
    sigma = process.sigma(times[-1]) / process.sigma(times[0])
    return sigma * x + process.alpha(times[-1]) * gained


@pytest.mark.parametrize("process", [VP(0.5, 8.0, 0.01), EDM(0.1, 3.0)], ids=repr)
@pytest.mark.parametrize("solver", [DPMSolver3M(), UniPC(2), UniPC(3)], ids=repr)
def test_a_denoiser_linear_in_the_log_ratio_is_followed_exactly_from_two_steps_on(
    solver: Solver[History], process: Process
) -> None:
    score = Prescribed(process, (0.4, -1.3))
    x = torch.tensor([[1.0], [-2.0]], dtype=F64)
    errors = []
    for n in (1, 2, 5):
        times = LogUniformGrid(n)(process)
        end = walk(Solve(solver, Diffusion(score, process)), x, times).x
        errors.append(root_mean_square(end - exact(score, x, times)))
    assert max(errors[1:]) < 1e-12
    assert errors[0] > 0.01  # with one value of D there is nothing to tell its slope from


def test_the_third_step_and_those_after_it_are_exact_for_a_parabola() -> None:
    process = EDM(0.1, 3.0)
    score = Prescribed(process, (0.4, -1.3, 0.7))
    times, x = LogUniformGrid(5)(process), torch.tensor([[1.0]], dtype=F64)
    logs = (-process.noise_level(times).log()).tolist()
    points = tuple(
        Point(s, torch.full_like(x, score.denoised(s))) for s in (logs[2], logs[1], logs[0])
    )
    end = predicted(Diffusion(score, process), x, points, times[2], times[3])
    torch.testing.assert_close(end, exact(score, x, times[2:4]), rtol=1e-12, atol=1e-12)


@dataclass(frozen=True)
class Published:
    """DPM-Solver++(3M) as printed, with the term of the second difference D₂ times a factor."""

    factor: float

    def __call__(self, x: Tensor, points: tuple[Point, ...], process: EDM, t: Tensor) -> Tensor:
        now, *before = points
        then = -t.log().item()
        h = then - now.log_ratio
        r0 = (now.log_ratio - before[0].log_ratio) / h
        r1 = (before[0].log_ratio - before[1].log_ratio) / h
        first = (now.denoised - before[0].denoised) / r0
        second = (before[0].denoised - before[1].denoised) / r1
        d1 = first + r0 / (r0 + r1) * (first - second)
        d2 = (first - second) / (r0 + r1)
        phi1 = math.expm1(-h)
        phi2 = phi1 / h + 1
        phi3 = phi2 / h - 0.5
        ratio = math.exp(-h)
        return ratio * x - phi1 * now.denoised + phi2 * d1 - self.factor * phi3 * d2


def run_published(factor: float, x: Tensor, n: int) -> Tensor:
    process = EDM(0.1, 3.0)
    times = LogUniformGrid(n)(process)
    diffusion = Diffusion(GAUSSIAN.noisy_score(process), process)
    step, state = DPMSolver3M(), History(x)
    for t, t_next in pairwise(times):
        after = step(diffusion, state, t, t_next, None)
        if len(after.points) == 3:
            x_next = Published(factor)(state.x, after.points, process, t_next)
            after = after._replace(x=x_next)
        state = after
    return state.x


def test_three_values_agree_with_the_published_formula_once_its_second_difference_is_doubled() -> (
    None
):
    process, steps = EDM(0.1, 3.0), [96, 128, 192, 256, 384]
    x = 3 * normal((4, 2), MEAN, seeded("x"))
    times = LogUniformGrid(96)(process)
    ours = walk(Solve(DPMSolver3M(), Diffusion(GAUSSIAN.noisy_score(process), process)), x, times).x
    torch.testing.assert_close(run_published(2.0, x, 96), ours, rtol=1e-10, atol=1e-10)
    truth = gaussian_flow(x, process, times[0], times[-1])
    printed = [root_mean_square(run_published(1.0, x, n) - truth) for n in steps]
    assert abs(order_of(steps, printed) - 2) < 0.15, printed


@pytest.mark.parametrize("p", [0, 4, 2.5])
def test_unipc_takes_one_to_three_values(p: float) -> None:
    with pytest.raises(InvalidInput, match="p = 1, 2 or 3"):
        UniPC(p)  # type: ignore[arg-type]
