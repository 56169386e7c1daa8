from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import scorematching as sm
from scorematching.domains import Euclidean
from scorematching.errors import InvalidInput, NotConverged, NotIdentified
from scorematching.estimation import LBFGS, Bootstrap, TrustRegion
from scorematching.estimation.m_estimation import InFree, check_starts, polish
from scorematching.estimation.minimisers import Outcome
from scorematching.random import normal, seeded

INFINITE = math.inf
LIKE = torch.zeros((), dtype=torch.float64)
LINE = Euclidean(1)
POSITIVE = [(-INFINITE, INFINITE), (0.0, INFINITE)]


def rows(n: int = 200) -> Tensor:
    return normal((n, 1), LIKE, seeded("m-estimation")) * 2 + 3


def located(x: Tensor, theta: Tensor) -> Tensor:
    """A normal by mean and precision."""
    return -theta[1] * (x[:, 0] - theta[0]) ** 2 / 2


def two_wells(x: Tensor, theta: Tensor) -> Tensor:
    """−cx², c less than the rows ask for everywhere: its two peaks over θ are the minima of J."""
    c = 0.03 * torch.exp(-((theta[0] - 2) ** 2)) + 0.02 * torch.exp(-((theta[0] + 2) ** 2))
    return -c * x[:, 0] ** 2


@pytest.mark.parametrize("minimiser", [TrustRegion(), LBFGS()], ids=repr)
@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
def test_a_normal_by_mean_and_precision_is_maximum_likelihood_in_any_units(
    minimiser: TrustRegion | LBFGS, unit: float
) -> None:
    x = rows() * unit
    est = sm.estimate(
        located,
        x,
        domain=LINE,
        theta0=[5 * unit, 1 / unit**2],
        bounds=POSITIVE,
        minimiser=minimiser,
    )
    assert est["theta[1]"] == pytest.approx(x.mean().item(), rel=1e-10)
    assert 1 / est["theta[2]"] == pytest.approx(x.var(correction=0).item(), rel=1e-10)
    # The influence of a row on the mean is x − x̄.
    assert est.std_errors[0].item() == pytest.approx((x.std() / len(x) ** 0.5).item(), rel=1e-9)
    assert type(minimiser).__name__ in est.notes[-1]


def test_of_several_starts_the_lowest_minimum_is_kept_and_the_note_counts_them() -> None:
    x = rows()
    found = {
        start: sm.estimate(two_wells, x, domain=LINE, theta0=[start], covariance=None)
        for start in (-1.9, 1.9)
    }
    low, high = sorted(found.values(), key=lambda est: est.objective)
    both = sm.estimate(two_wells, x, domain=LINE, theta0=[[-1.9], [1.9]], covariance=None)
    assert low.objective < high.objective - 1e-3
    assert both.objective == pytest.approx(low.objective, rel=1e-12)
    assert "from 2 starts; 1 reached the minimum kept" in both.notes[-1]


def test_a_parameter_that_runs_into_its_bound_is_named() -> None:
    # exp(−θx²) with θ < 0.01, where the rows ask for 1/(2·variance) = 0.1
    def wide(x: Tensor, theta: Tensor) -> Tensor:
        return -theta[0] * (x[:, 0] - 3) ** 2 + theta[0] ** 2

    bounded = [(0.0, 0.01)]
    with pytest.raises(NotConverged, match=r"no minimum inside.*theta\[1\] runs into its bound"):
        sm.estimate(
            wide, rows(), domain=LINE, theta0=[0.005], bounds=bounded, minimiser=TrustRegion()
        )


def test_too_few_iterations_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(NotConverged, match=r"none of 1 starts converged.*max_iterations"):
        sm.estimate(
            located,
            rows(),
            domain=LINE,
            theta0=[500.0, 1e-3],
            bounds=POSITIVE,
            minimiser=LBFGS(max_iterations=1),
        )


@dataclass(frozen=True)
class Saddle:
    """1 + x² − y²."""

    def value_and_gradient(self, u: Tensor) -> tuple[float, Tensor]:
        return (1 + u[0] ** 2 - u[1] ** 2).item(), torch.stack([2 * u[0], -2 * u[1]])

    def hessian(self, u: Tensor) -> Tensor:
        return torch.diag(torch.tensor([2.0, -2.0], dtype=torch.float64))


def test_a_saddle_is_no_minimum() -> None:
    outcome = Outcome(torch.zeros(2, dtype=torch.float64), 1.0, 0.0, True, "")
    with pytest.raises(NotConverged, match="saddle: the curvatures go from -"):
        polish(Saddle(), outcome)  # type: ignore[arg-type]  # has the members of InFree
    assert InFree.__dataclass_fields__.keys() == {"objective", "coordinates"}


def test_flat_directions_are_named_when_errors_are_asked_for() -> None:
    def flat(x: Tensor, theta: Tensor) -> Tensor:
        return -torch.exp(theta[0] + theta[1]) * (x[:, 0] - 3) ** 2

    with pytest.raises(NotIdentified, match=r"theta\[1\] − theta\[2\]"):
        sm.estimate(flat, rows(), domain=LINE, theta0=[0.0, -1.0])


def test_a_row_without_a_finite_loss_is_named_and_not_called_a_failure_to_converge() -> None:
    x = rows().abs()
    x[31] = 0.0
    with pytest.raises(InvalidInput, match=r"row 31 is not finite.*on the boundary"):
        sm.estimate(sm.families.Weibull(), x)


def test_resamples_are_minimised_from_the_minimum_on() -> None:
    x = rows(400)
    options = {"domain": LINE, "theta0": [1.0, 1.0], "bounds": POSITIVE}
    sandwich = sm.estimate(located, x, **options)
    boot = sm.estimate(located, x, covariance=Bootstrap(64, seed=1), **options)
    # 64 draws: a relative standard error of 1/√128
    torch.testing.assert_close(boot.std_errors, sandwich.std_errors, rtol=4 / 128**0.5, atol=0)


def test_starts_of_another_shape_are_refused() -> None:
    assert check_starts([1.0, 2.0], 2).shape == (1, 2)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"one entry for each of 3 parameters.*got \(2, 2\)"):
        check_starts(torch.zeros(2, 2), 3)
