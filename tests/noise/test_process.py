"""What every process derives from α and σ, held to finite differences and to moments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from scorematching.densities import GaussianMixture
from scorematching.errors import InvalidInput
from scorematching.noise import (
    EDM,
    VE,
    VP,
    Cosine,
    Ladder,
    Process,
    SquareRoot,
    StraightLine,
    SubVP,
)
from scorematching.random import normal, seeded

DOUBLE = torch.float64


@dataclass(frozen=True)
class Straight(Process):
    """α = 1 − t, σ = t: neither variance is kept nor is α one."""

    t_min: float = 0.01
    t_max: float = 0.99

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        return t


PROCESSES = [
    VE(0.1, 20.0),
    VP(),
    SubVP(),
    Cosine(),
    EDM(),
    Ladder((0.1, 0.5, 2.0, 9.0)),
    StraightLine(0.01, 0.99),
    SquareRoot(),
]
everyone = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)


def inside(process: Process, n: int = 9) -> Tensor:
    """Times inside the range, away from the levels of a ladder."""
    u = (torch.arange(n, dtype=DOUBLE) + 0.37) / n
    return process.t_min + u * (process.t_max - process.t_min)


@everyone
def test_the_drift_is_the_slope_of_ln_alpha(process: Process) -> None:
    t, h = inside(process), 1e-5
    slope = (process.alpha(t + h).log() - process.alpha(t - h).log()) / (2 * h)
    torch.testing.assert_close(process.drift_rate(t), slope, rtol=1e-6, atol=1e-8)


@everyone
def test_the_diffusion_is_the_slope_of_the_variance_less_the_drift_s_part(process: Process) -> None:
    """g² = dσ²/dt − 2fσ², by a central difference of σ²."""
    t, h = inside(process), 1e-6
    slope = (process.sigma(t + h) ** 2 - process.sigma(t - h) ** 2) / (2 * h)
    expected = slope - 2 * process.drift_rate(t) * process.sigma(t) ** 2
    torch.testing.assert_close(process.diffusion_squared(t), expected, rtol=1e-5, atol=1e-7)


def test_a_process_of_one_s_own_needs_alpha_and_sigma_only() -> None:
    """α = 1 − t, σ = t: f = −1/(1 − t), g² = 2t + 2t²/(1 − t) = 2t/(1 − t)."""
    process, t = Straight(), torch.linspace(0.1, 0.9, 5, dtype=DOUBLE)
    torch.testing.assert_close(process.drift_rate(t), -1 / (1 - t))
    torch.testing.assert_close(process.diffusion_squared(t), 2 * t / (1 - t))
    torch.testing.assert_close(process.log_snr(t), 2 * ((1 - t) / t).log())
    torch.testing.assert_close(process.time_of(t / (1 - t)), t)


@everyone
def test_the_moments_solve_the_equation_of_the_process(process: Process) -> None:
    """dx = f x dt + g dw: m′ = f m and V′ = 2fV + g², integrated by fourth-order Runge–Kutta."""
    t0 = inside(process)[1].item()
    t1 = inside(process)[2].item()  # within one segment of the ladder
    n = 200
    h = (t1 - t0) / n

    def rate(t: float, state: Tensor) -> Tensor:
        time = torch.tensor(t, dtype=DOUBLE)
        f, g2 = process.drift_rate(time), process.diffusion_squared(time)
        return torch.stack([f * state[0], 2 * f * state[1] + g2])

    start, end = (torch.tensor(t, dtype=DOUBLE) for t in (t0, t1))
    state = torch.stack([process.alpha(start), process.sigma(start) ** 2])
    for i in range(n):
        t = t0 + i * h
        a = rate(t, state)
        b = rate(t + h / 2, state + h / 2 * a)
        c = rate(t + h / 2, state + h / 2 * b)
        d = rate(t + h, state + h * c)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    truth = torch.stack([process.alpha(end), process.sigma(end) ** 2])
    torch.testing.assert_close(state, truth, rtol=1e-7, atol=1e-10)


@everyone
def test_noise_grows_with_time_and_time_of_inverts_it(process: Process) -> None:
    t = inside(process, 40)
    level = process.noise_level(t)
    assert (level.diff() > 0).all()
    torch.testing.assert_close(process.time_of(level), t, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(level, process.sigma(t) / process.alpha(t))
    torch.testing.assert_close(process.log_snr(t), 2 * (process.alpha(t) / process.sigma(t)).log())


@everyone
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_shape_follow_the_time(process: Process, dtype: torch.dtype) -> None:
    functions = [
        process.alpha,
        process.sigma,
        process.drift_rate,
        process.diffusion_squared,
        process.noise_level,
        process.log_snr,
    ]
    for t in (inside(process).to(dtype), inside(process)[3].to(dtype)):
        for function in functions:
            assert function(t).shape == t.shape
            assert function(t).dtype == dtype
        assert process.time_of(process.noise_level(t)).dtype == dtype


@everyone
def test_the_ends_of_the_range_are_found_in_single_precision(process: Process) -> None:
    ends = torch.tensor([process.t_min, process.t_max], dtype=torch.float32)
    found = process.time_of(process.noise_level(ends.double()).float())
    torch.testing.assert_close(found, ends, rtol=1e-3, atol=1e-4)


@everyone
@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
def test_rates_are_the_same_without_gradients_around(
    process: Process, surroundings: object
) -> None:
    t = inside(process)
    expected = process.drift_rate(t), process.diffusion_squared(t)
    with surroundings():
        results = process.drift_rate(t.clone()), process.diffusion_squared(t.clone())
    torch.testing.assert_close(results, expected)
    assert not any(result.requires_grad for result in results)


@pytest.mark.parametrize("level", [0.05, 0.0, -1.0, 21.0, math.nan, math.inf])
def test_a_level_outside_the_range_is_refused(level: float) -> None:
    process = VE(0.1, 20.0)
    message = r"must lie in \[0\.1, 20\], the range of VE\(.*\): got " + f"{level:g}".replace(
        "-", r"\-"
    )
    with pytest.raises(InvalidInput, match=message):
        process.time_of(torch.tensor([1.0, level], dtype=DOUBLE))


# -------------------------------------------------------------------------------------- perturb


@everyone
@pytest.mark.parametrize("event", [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 2)])
def test_x_t_is_made_of_x_and_the_noise_that_is_returned(
    process: Process, event: tuple[int, ...]
) -> None:
    x, t = normal((6, *event), torch.zeros(1, dtype=DOUBLE), seeded("x")), inside(process, 6)
    noised, z = process.perturb(x, t, seeded("z"))
    for i in range(6):
        expected = process.alpha(t[i]) * x[i] + process.sigma(t[i]) * z[i]
        torch.testing.assert_close(noised[i], expected)
    assert noised.shape == z.shape == x.shape
    assert torch.equal(z, process.perturb(x, t, seeded("z"))[1])


@everyone
def test_the_noise_is_standard_normal_and_independent_of_x(process: Process) -> None:
    n = 20_000
    x = normal((n, 2), torch.zeros(1, dtype=DOUBLE), seeded("x"))
    z = process.perturb(x, inside(process)[4].item(), seeded("law"))[1]
    for k, truth in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        error = (z**k).std(0) / math.sqrt(n)
        assert (((z**k).mean(0) - truth) / error).abs().max() < 4
    assert abs((z[:, 0] * z[:, 1]).mean()) < 4 / math.sqrt(n)
    assert (x * z).mean(0).abs().max() < 4 / math.sqrt(n)


def test_a_number_is_the_time_of_all_rows() -> None:
    x = torch.ones(5, 2, dtype=DOUBLE)
    one = VP().perturb(x, 0.3, seeded(0))[0]
    other = VP().perturb(x, torch.full((5,), 0.3, dtype=DOUBLE), seeded(0))[0]
    assert torch.equal(one, other)


@pytest.mark.parametrize("shape", [(4,), (5, 1), (2,)])
def test_times_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"one value per row, shape \(\) or \(5,\)"):
        VP().perturb(torch.ones(5, 2), torch.full(shape, 0.3))


def test_noise_without_a_generator_is_new_every_time() -> None:
    x = torch.ones(5, 2)
    assert not torch.equal(VE().perturb(x, 0.5)[0], VE().perturb(x, 0.5)[0])


# --------------------------------------------------------------------------------------- velocity


@everyone
@pytest.mark.parametrize("event", [(), (3,), (2, 1, 3)])
def test_the_velocity_of_a_path_is_its_slope(process: Process, event: tuple[int, ...]) -> None:
    """By a central difference of x_t at the same x and z, one time per row."""
    x, z = (normal((6, *event), torch.zeros(1, dtype=DOUBLE), seeded(k)) for k in "xz")
    t, h = inside(process, 6), 1e-6
    steps = []
    for time in (t + h, t - h):
        shape = (6, *(1,) * len(event))
        alpha, sigma = process.alpha(time).reshape(shape), process.sigma(time).reshape(shape)
        steps.append(alpha * x + sigma * z)
    slope = (steps[0] - steps[1]) / (2 * h)
    torch.testing.assert_close(process.path_velocity(x, z, t), slope, rtol=1e-5, atol=1e-7)
    one = process.path_velocity(x[2:3], z[2:3], t[2].item())
    torch.testing.assert_close(one, slope[2:3], rtol=1e-5, atol=1e-7)


# ------------------------------------------------------------------------------------ convolution


def mixture_on_the_line(x: Tensor) -> Tensor:
    """0.3 N(−2, 0.4²) + 0.7 N(1, 0.7²)."""
    parts = ((0.3, -2.0, 0.4), (0.7, 1.0, 0.7))
    return sum(w / s * torch.exp(-(((x - m) / s) ** 2) / 2) for w, m, s in parts) / math.sqrt(
        2 * math.pi
    )


@everyone
def test_the_density_of_x_t_is_a_convolution(process: Process) -> None:
    """p_t = law of αx ∗ N(0, σ²), summed on a grid, against the mixture of noised components."""
    density = GaussianMixture(
        torch.tensor([0.3, 0.7], dtype=DOUBLE),
        torch.tensor([[-2.0], [1.0]], dtype=DOUBLE),
        torch.tensor([[[0.16]], [[0.49]]], dtype=DOUBLE),
    )
    for t in inside(process)[[1, 4, 7]]:
        alpha, sigma = process.alpha(t), process.sigma(t)
        step = 0.1 * min(alpha * 0.4, sigma)
        y = torch.arange(-8 * alpha, 8 * alpha, step, dtype=DOUBLE)
        scaled = mixture_on_the_line(y / alpha) / alpha
        x = torch.linspace(-3, 3, 7, dtype=DOUBLE) * torch.hypot(alpha, sigma)
        kernel = torch.exp(-(((x[:, None] - y) / sigma) ** 2) / 2) / sigma / math.sqrt(2 * math.pi)
        convolved = (kernel * scaled).sum(1) * step
        times = alpha.expand(7), sigma.expand(7)
        truth = density.diffused_log_density(x[:, None], *times).exp()
        torch.testing.assert_close(convolved, truth, rtol=1e-8, atol=1e-12)


@everyone
def test_without_the_factor_of_the_scaled_law_it_is_no_density(process: Process) -> None:
    """Control: p(x/α) for p(x/α)/α has mass α."""
    t = inside(process)[7]
    alpha = process.alpha(t)
    y = torch.arange(-8 * alpha, 8 * alpha, 0.02 * alpha, dtype=DOUBLE)
    mass = mixture_on_the_line(y / alpha).sum() * 0.02 * alpha
    torch.testing.assert_close(mass, alpha)
