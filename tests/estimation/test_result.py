from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

import scorematching as sm
from scorematching.errors import InvalidInput
from scorematching.estimation import Bootstrap
from scorematching.families import Gaussian
from scorematching.random import normal, seeded


def rows(n: int = 150) -> Tensor:
    z = normal((n, 2), torch.zeros((), dtype=torch.float64), seeded("result"))
    return torch.stack([z[:, 0] + 1, z[:, 0] / 2 + z[:, 1]], 1)


EST = sm.estimate(Gaussian(2), rows())


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_intervals_are_normal_quantiles_of_the_standard_error(level: float) -> None:
    low, high = stats.norm.interval(level, EST.theta.numpy(), EST.std_errors.numpy())
    torch.testing.assert_close(EST.conf_int(level)[:, 0], torch.from_numpy(low))
    torch.testing.assert_close(EST.conf_int(level)[:, 1], torch.from_numpy(high))


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        EST.conf_int(level)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        EST.summary(level)


def test_a_wald_test_of_one_parameter_is_the_square_of_z() -> None:
    z = (EST.theta[1] - 0.3) / EST.std_errors[1]
    found = EST.wald_test([0, 1, 0, 0, 0], 0.3)
    assert found.statistic == pytest.approx(z.item() ** 2, rel=1e-12)
    assert found.df == 1
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z.item())), rel=1e-9)


def test_a_wald_test_of_several_restrictions_is_chi_squared() -> None:
    R = torch.tensor([[0, 1.0, 0, 0, 0], [1, 0, -1, 0, 0], [0, 0, 0, 2, 0]], dtype=torch.float64)
    r = torch.tensor([0.1, 0.0, 1.0], dtype=torch.float64)
    gap = R @ EST.theta - r
    statistic = gap @ torch.linalg.inv(R @ EST.theta_covariance @ R.mT) @ gap
    found = EST.wald_test(R, r)
    assert found.statistic == pytest.approx(statistic.item(), rel=1e-10)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic.item(), 3), rel=1e-9)
    assert str(found) == f"Wald χ²(3) = {statistic.item():.4f}, p = {found.p_value:.4g}"
    # Another basis of the same restrictions, in other units, is the same test.
    mixed = torch.tensor([[1e3, 0, 0], [1, 1e-4, 0], [0, 1, 1.0]], dtype=torch.float64)
    assert EST.wald_test(mixed @ R, mixed @ r).statistic == pytest.approx(found.statistic, rel=1e-7)


@pytest.mark.parametrize(
    ("R", "r", "complaint"),
    [
        ([[1, 0]], 0.0, r"a column for each of 5 parameters: got shape \(1, 2\)"),
        ([[1, 0, 0, 0, 0]], [0.0, 1.0], "one entry for each of 1 restrictions"),
        ([[1, 0, 0, 0, 0], [2, 0, 0, 0, 0]], 0.0, "repeat each other"),
    ],
)
def test_restrictions_that_do_not_fit_are_refused(R: object, r: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        EST.wald_test(R, r)  # type: ignore[arg-type]


def test_what_was_fixed_has_no_error_no_test_and_an_empty_row() -> None:
    est = sm.estimate(Gaussian(2), rows(), fixed={"K[2,1]": 0.25})
    assert est["K[2,1]"] == 0.25
    assert est.std_errors[1] == 0
    assert torch.equal(est.theta_covariance[1], torch.zeros(5).double())
    with pytest.raises(InvalidInput, match="on fixed parameters"):
        est.wald_test([0, 1, 0, 0, 0], 0.25)
    (line,) = [line for line in est.summary().splitlines() if line.startswith("K[2,1]")]
    assert line.split() == ["K[2,1]", "0.250000"]


def test_the_summary_prints_every_parameter_as_a_regression_table_does() -> None:
    text = EST.summary(0.9)
    assert "[90%" in text
    assert "n = 150 rows, 5 free parameters" in text
    assert text == EST.summary(0.9)
    assert str(EST) == EST.summary()
    (line,) = [line for line in text.splitlines() if line.startswith("eta[1]")]
    name, theta, error, z, p, low, high = line.split()
    assert name == "eta[1]"
    assert float(theta) == pytest.approx(EST["eta[1]"], rel=1e-5)
    assert float(error) == pytest.approx(EST.std_errors[3].item(), rel=1e-5)
    assert float(z) == pytest.approx(EST["eta[1]"] / EST.std_errors[3].item(), abs=0.01)
    assert p == "<0.001"
    assert [float(low), float(high)] == pytest.approx(EST.conf_int(0.9)[3].tolist(), rel=1e-5)


def test_percentile_intervals_are_quantiles_of_the_draws() -> None:
    boot = sm.estimate(
        Gaussian(2), rows(), fixed={"K[2,1]": 0.0}, covariance=Bootstrap(101, seed=1)
    )
    assert boot.uncertainty is not None
    draws = boot.uncertainty.draws
    assert draws is not None
    interval = boot.percentile_interval(0.9)
    expected = draws.sort(0).values[[5, 95]]  # 101 draws: whole places
    torch.testing.assert_close(interval[[0, 2, 3, 4]], expected.mT)
    assert interval[1].tolist() == [0.0, 0.0]
    with pytest.raises(InvalidInput, match="need bootstrap draws"):
        EST.percentile_interval()


def test_an_unknown_name_and_missing_errors_say_what_there_is() -> None:
    with pytest.raises(KeyError, match=r"no parameter 'K\[1,2\]'.*K\[2,1\]"):
        EST["K[1,2]"]
    bare = sm.estimate(Gaussian(2), rows(), covariance=None)
    assert "Without standard errors." in bare.summary()
    with pytest.raises(InvalidInput, match="made without a covariance"):
        _ = bare.std_errors
