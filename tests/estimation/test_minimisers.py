from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from scorematching.estimation.minimisers import LBFGS, Minimiser, TrustRegion, scale_of, slope_of

MINIMISERS = [TrustRegion(), LBFGS()]


@dataclass
class Valley:
    """1 + (a(1 − x/s))² + b(y/t − (x/s)²)², lowest at (s, t): Rosenbrock's, in units s and t."""

    units: tuple[float, float] = (1.0, 1.0)
    wall: float = math.inf  # beyond which there is no value
    calls: list[float] = field(default_factory=list)

    def at(self, u: Tensor) -> Tensor:
        x, y = u[0] / self.units[0], u[1] / self.units[1]
        self.calls.append(x.item())
        value = 1 + (1 - x) ** 2 + 100 * (y - x**2) ** 2
        return torch.where(x.abs() <= self.wall, value, math.nan)

    def value_and_gradient(self, u: Tensor) -> tuple[float, Tensor]:
        leaf = u.detach().requires_grad_()
        value = self.at(leaf)
        return value.item(), torch.autograd.grad(value, leaf)[0]

    def hessian(self, u: Tensor) -> Tensor:
        return torch.autograd.functional.hessian(self.at, u)


def start(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("minimiser", MINIMISERS, ids=repr)
@pytest.mark.parametrize("units", [(1.0, 1.0), (1e-5, 1e4)])
def test_the_bottom_of_a_bent_valley_is_found_in_any_units(
    minimiser: Minimiser, units: tuple[float, float]
) -> None:
    outcome = minimiser(Valley(units), start(-1.2 * units[0], 1.0 * units[1]))
    assert outcome.converged
    assert outcome.slope <= 1e-6
    torch.testing.assert_close(outcome.u, start(*units), rtol=1e-5, atol=0)
    assert outcome.value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("minimiser", MINIMISERS, ids=repr)
def test_steps_to_where_there_is_no_value_are_taken_back(minimiser: Minimiser) -> None:
    valley = Valley(wall=1.3)
    outcome = minimiser(valley, start(-1.2, 1.0))
    assert outcome.converged
    torch.testing.assert_close(outcome.u, start(1.0, 1.0), rtol=1e-5, atol=0)


def test_what_runs_out_of_iterations_says_so_and_does_not_claim_a_minimum() -> None:
    outcome = LBFGS(max_iterations=2)(Valley(), start(-1.2, 1.0))
    assert not outcome.converged
    assert outcome.slope > 1e-6
    assert outcome.message


@pytest.mark.parametrize("minimiser", MINIMISERS, ids=repr)
def test_a_start_without_a_value_is_told(minimiser: Minimiser) -> None:
    outcome = minimiser(Valley(wall=0.5), start(-1.2, 1.0))
    assert not outcome.converged
    assert math.isnan(outcome.value)
    assert "not finite at the start" in outcome.message


def test_a_step_of_one_scale_changes_the_objective_by_half_of_it() -> None:
    hessian = torch.diag(start(8e6, 2e-4))
    scale = scale_of(start(0.0, 3.0), -2.0, hessian)
    assert scale.tolist() == pytest.approx([5e-4, 100.0])
    assert (hessian.diagonal() * scale**2 / 2).tolist() == pytest.approx([1.0, 1.0])
    assert slope_of(-2.0, start(4.0, -0.1), scale) == pytest.approx(5.0)


def test_without_a_positive_curvature_the_scale_is_the_size() -> None:
    assert scale_of(start(-3.0, 0.0), 1.0, None).tolist() == pytest.approx([3.0, 0.3])
    assert scale_of(start(-3.0, 0.0), 1.0, torch.diag(start(-1.0, 4.0))).tolist() == [3.0, 0.5]
    assert scale_of(start(0.0, 0.0), 1.0, None).tolist() == [1.0, 1.0]
