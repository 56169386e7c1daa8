"""Coverage, slopes and efficiency of numbers whose answers are known."""

import math

import pytest
import torch
from benchmarks.coverage import Case, cases, coverage, efficiency, error, slope

from scorematching.random import seeded


def case(name: str) -> Case:
    return next(each for each in cases() if each.name == name)


def test_coverage_counts_the_intervals_that_hold_the_truth() -> None:
    intervals = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[0.5, 0.7], [2.0, 2.5]]])
    truth = torch.tensor([0.2, 2.5])
    assert coverage(intervals, truth).tolist() == [0.5, 1.0]


def test_the_slope_of_a_power_law_is_its_power() -> None:
    sizes = [100, 300, 1000, 5000]
    assert slope(sizes, [7 * n**-0.5 for n in sizes]) == pytest.approx(-0.5, abs=1e-12)
    # the control
    assert slope(sizes, [7 * n**-0.4 for n in sizes]) == pytest.approx(-0.4, abs=1e-12)


def test_the_error_of_an_efficient_estimate_is_one_over_the_root_of_n() -> None:
    information = torch.tensor([[4.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    n, count = 100, 20_000
    root = torch.linalg.cholesky(torch.linalg.inv(information) / n)
    z = torch.randn(count, 2, generator=seeded(0, "efficient"), dtype=torch.float64)
    truth = torch.tensor([1.0, -2.0], dtype=torch.float64)
    estimates = truth + z @ root.mT
    # relative standard errors 1/(2 sqrt(count)) and sqrt(2/count): four of them
    assert error(estimates, truth, information) == pytest.approx(0.1, rel=2 / math.sqrt(count))
    ratios = efficiency(estimates, information, n)
    assert ratios.tolist() == pytest.approx([1.0, 1.0], rel=4 * math.sqrt(2 / count))
    # the control: estimates from half the rows
    assert efficiency(estimates, information, 2 * n).max() < 0.6


def test_the_information_of_a_dirichlet_is_that_of_its_closed_form() -> None:
    dirichlet = case("Dirichlet")
    alpha = dirichlet.theta + 1
    exact = alpha.polygamma(1).diag() - alpha.sum().polygamma(1)
    assert torch.allclose(dirichlet.information(), exact, rtol=0.02, atol=0)


def test_the_information_of_von_mises_fisher_is_its_covariance() -> None:
    vmf = case("von Mises–Fisher")
    exact = vmf.family.model(vmf.theta).covariance  # type: ignore[attr-defined]
    spread = exact.diagonal().max().item()
    assert torch.allclose(vmf.information(), exact, rtol=0, atol=0.01 * spread)


@pytest.mark.parametrize("name", [each.name for each in cases()])
def test_draws_are_the_same_for_the_same_key_alone(name: str) -> None:
    density = case(name)
    assert torch.equal(density.draw(20, 3), density.draw(20, 3))
    assert not torch.equal(density.draw(20, 3), density.draw(20, 4))
    density.domain.check(density.draw(20, 3))
