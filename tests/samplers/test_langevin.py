"""Unadjusted Langevin: the law of the discretised chain, not that of its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from samplers.closed_form import COVARIANCE, F64, GAUSSIAN, MEAN, law_of_walk, order_of
from scorematching.errors import InvalidInput
from scorematching.random import normal
from scorematching.samplers import UnadjustedLangevin, ula, walk
from scorematching.samplers.walk import OnlyX, drawn

CHAINS = 20_000


def standard(x: Tensor) -> Tensor:
    return -x


@dataclass(frozen=True)
class WithoutRootTwo:
    """The mistake x ← x + η s + √η z."""

    step_size: float
    order: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 1

    def init(self, x: Tensor) -> OnlyX:
        return OnlyX(x)

    def __call__(self, state: OnlyX, t: Tensor, t_next: Tensor, z: Tensor | None) -> OnlyX:
        return OnlyX((1 - self.step_size) * state.x + math.sqrt(self.step_size) * drawn(z))


def standard_errors_off(x: Tensor, variance: float) -> float:
    """How many standard errors the sample variance of Gaussian rows is from a given one."""
    error = variance * math.sqrt(2 / (x.numel() - 1))
    return abs(x.var().item() - variance) / error


@pytest.mark.parametrize("eta", [0.1, 0.5, 1.3])
def test_the_variance_on_a_standard_normal_is_that_of_the_discretised_chain(
    eta: float, generator: torch.Generator
) -> None:
    n_steps = 200 if eta < 0.5 else 40  # (1 − η)^{2n} is below 1e-12
    x = ula(standard, torch.zeros(CHAINS, dtype=F64), eta, n_steps, generator=generator).x
    assert standard_errors_off(x, 1 / (1 - eta / 2)) < 4
    assert abs(x.mean().item()) < 4 * math.sqrt(1 / (1 - eta / 2) / CHAINS)


def test_a_missing_root_two_is_caught(generator: torch.Generator) -> None:
    start, times = torch.zeros(CHAINS, dtype=F64), torch.arange(41.0)
    x = walk(WithoutRootTwo(0.5), start, times, generator=generator).x
    assert standard_errors_off(x, 1 / (1 - 0.25)) > 20


def test_the_limit_variance_in_place_of_the_chain_s_own_would_be_caught(
    generator: torch.Generator,
) -> None:
    x = ula(standard, torch.zeros(CHAINS, dtype=F64), 0.5, 40, generator=generator).x
    assert standard_errors_off(x, 1.0) > 20


def test_the_law_after_each_number_of_steps_is_exact_on_a_correlated_gaussian() -> None:
    eta, start = 0.2, torch.eye(2, dtype=F64) * 4
    eigenvalues, vectors = torch.linalg.eigh(COVARIANCE)
    kept = 1 - eta / eigenvalues  # the factor on x − μ in a step, per eigenvector
    for n in (1, 2, 7):
        mean, covariance = law_of_walk(
            UnadjustedLangevin(GAUSSIAN.score, eta),
            torch.arange(n + 1.0),
            torch.zeros(2, dtype=F64),
            start,
        )
        variance = 4 * kept ** (2 * n) + 2 * eta * (1 - kept ** (2 * n)) / (1 - kept**2)
        expected = MEAN - vectors @ (kept**n * (vectors.T @ MEAN))
        torch.testing.assert_close(mean, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            vectors.T @ covariance @ vectors, torch.diag(variance), rtol=1e-12, atol=1e-12
        )


def test_the_weak_order_is_the_declared_one() -> None:
    horizon, steps = 1.0, [16, 24, 32, 48, 64]
    errors = []
    for n in steps:
        step = UnadjustedLangevin(standard, horizon / n)
        zero, point = torch.zeros(1, dtype=F64), torch.zeros(1, 1, dtype=F64)
        covariance = law_of_walk(step, torch.arange(n + 1.0), zero, point)[1]
        errors.append(abs(covariance.item() - (1 - math.exp(-2 * horizon))))
    assert abs(order_of(steps, errors) - UnadjustedLangevin.order) < 0.15


def test_each_step_costs_one_evaluation(generator: torch.Generator) -> None:
    calls = []

    def counted(x: Tensor) -> Tensor:
        calls.append(len(x))
        return -x

    result = ula(counted, torch.zeros(3, 2), 0.1, 11, generator=generator)
    assert result.n_evaluations == len(calls) == 11


@pytest.mark.parametrize("eta", [0.0, -0.1, math.nan, math.inf])
def test_an_impossible_step_size_is_refused(eta: float) -> None:
    with pytest.raises(InvalidInput, match="step_size must be positive and finite"):
        ula(standard, torch.zeros(3), eta, 5)


def test_no_steps_and_a_score_of_another_shape_are_refused(generator: torch.Generator) -> None:
    x = normal((3,), torch.zeros(()), generator)
    with pytest.raises(InvalidInput, match="n_steps must be an integer of at least 1: got 0"):
        ula(standard, x, 0.1, 0)
    with pytest.raises(InvalidInput, match="shaped like x"):
        ula(lambda x: -x[:, None], x, 0.1, 1)
