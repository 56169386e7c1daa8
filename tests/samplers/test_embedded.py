"""Embedded pairs: their tableaux against SciPy's and the order conditions, and their flow."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch
from scipy.integrate import RK23, RK45

from samplers.closed_form import F64, GAUSSIAN, MEAN, MIXTURE, PROCESSES, gaussian_flow
from scorematching.densities import gaussian
from scorematching.noise import Process
from scorematching.random import normal, seeded
from scorematching.samplers import (
    BOGACKI_SHAMPINE,
    DORMAND_PRINCE,
    Diffusion,
    EmbeddedRungeKutta,
    LogUniformGrid,
    Pair,
    Solve,
    walk,
)
from scorematching.samplers.embedded import slope

PAIRS = pytest.mark.parametrize("pair", [BOGACKI_SHAMPINE, DORMAND_PRINCE], ids=repr)


def tableau(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """c, A, b and the embedded weights, of all stages."""
    stages = len(pair.nodes) + 1
    a = np.zeros((stages, stages))
    for i, row in enumerate(pair.matrix, 1):
        a[i, : len(row)] = row
    b = np.array([*pair.matrix[-1], 0.0])
    return np.array([0.0, *pair.nodes]), a, b, b - np.array(pair.error)


@pytest.mark.parametrize(
    ("pair", "oracle"), [(BOGACKI_SHAMPINE, RK23), (DORMAND_PRINCE, RK45)], ids=["3(2)", "5(4)"]
)
def test_the_tableau_is_scipy_s(pair: Pair, oracle: type[RK23] | type[RK45]) -> None:
    c, a, b, _ = tableau(pair)
    np.testing.assert_allclose(c[:-1], oracle.C, rtol=1e-15)
    width = oracle.A.shape[1]
    np.testing.assert_allclose(a[:-1, :width], oracle.A, rtol=1e-14)
    np.testing.assert_allclose(b[:-1], oracle.B, rtol=1e-15)
    # SciPy's is the embedded solution less this one.
    np.testing.assert_allclose(pair.error, -oracle.E, rtol=0, atol=1e-15)


@PAIRS
def test_the_weights_meet_the_order_conditions(pair: Pair) -> None:
    c, a, b, embedded = tableau(pair)
    np.testing.assert_allclose(a.sum(1), c, atol=1e-14)
    # The bushy trees, Σ bᵢ cᵢ^{q−1} = 1/q, and the tall ones, Σ b A … A 1 = 1/q!.
    for weights, order in ((b, pair.order), (embedded, pair.order - 1)):
        tall = np.ones(len(c))
        for q in range(1, order + 1):
            assert weights @ c ** (q - 1) == pytest.approx(1 / q, abs=1e-14)
            assert weights @ tall == pytest.approx(1 / prod(range(1, q + 1)), abs=1e-14)
            tall = a @ tall
    assert abs(embedded @ c ** (pair.order - 1) - 1 / pair.order) > 1e-4


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_the_slope_is_that_of_the_scaled_flow(process: Process) -> None:
    """By central differences of the velocity in t, through x = α ρ v."""
    diffusion = Diffusion(MIXTURE.noisy_score(process), process)
    t = torch.tensor(0.4, dtype=F64)
    v = normal((5, 2), MEAN, seeded("v"))

    def scale(t: torch.Tensor) -> torch.Tensor:
        return torch.hypot(process.alpha(t), process.sigma(t))

    h = 1e-5
    rate = (scale(t + h) - scale(t - h)) / (2 * h)
    by_time = (diffusion.velocity(scale(t) * v, t) - rate * v) / scale(t)
    logs = [process.noise_level(s).log() for s in (t - h, t + h)]
    expected = by_time / ((logs[1] - logs[0]) / (2 * h))
    got = slope(diffusion, v, process.noise_level(t).log(), t)
    torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-8)


@PAIRS
@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_data_of_unit_variance_stand_still(pair: Pair, process: Process) -> None:
    standard = gaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
    times = LogUniformGrid(3)(process)
    x = normal((4, 2), MEAN, seeded("x"))
    solve = Solve(EmbeddedRungeKutta(pair), Diffusion(standard.noisy_score(process), process))
    radii = torch.hypot(process.alpha(times), process.sigma(times))
    end = walk(solve, x, times).x
    torch.testing.assert_close(end, x * radii[-1] / radii[0], rtol=1e-12, atol=1e-12)


def test_the_flow_of_a_gaussian_is_met_closely() -> None:
    process = PROCESSES[1]
    times = LogUniformGrid(20)(process)
    x = normal((4, 2), MEAN, seeded("x"))
    solve = Solve(EmbeddedRungeKutta(), Diffusion(GAUSSIAN.noisy_score(process), process))
    truth = gaussian_flow(x, process, times[0], times[-1])
    torch.testing.assert_close(walk(solve, x, times).x, truth, rtol=1e-6, atol=1e-6)
