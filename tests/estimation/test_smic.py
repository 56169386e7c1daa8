from __future__ import annotations

import pytest
import torch
from torch import Tensor

import scorematching as sm
from scorematching.errors import InvalidInput
from scorematching.estimation import smic
from scorematching.random import normal, seeded

NORMAL = sm.families.Gaussian(1)


def draws(n: int, *parts: int) -> Tensor:
    like = torch.zeros((), dtype=torch.float64)
    return 2 + 1.5 * normal((n, 1), like, seeded("smic", *parts))


def moments(x: Tensor) -> tuple[float, float]:
    """Variance (divisor n) and kurtosis."""
    gap = x - x.mean()
    return gap.square().mean().item(), (gap**4).mean().item() / gap.square().mean().item() ** 2


def test_of_a_normal_it_is_its_closed_form() -> None:
    """J(θ̂) = −1/(2v); centring the rows leaves A = diag(v, 1) and gradients (z² − 1, −z/√v), z the
    standardised rows, so that tr(ΣA⁻¹) = (κ − 1)/v + 1/v = κ/v with the kurtosis κ."""
    x = draws(40)
    v, kurtosis = moments(x)
    found = smic(sm.estimate(NORMAL, x), x)
    assert found == pytest.approx(-40 / (2 * v) + kurtosis / v, rel=1e-9)
    assert found == pytest.approx(smic(sm.estimate(NORMAL, x, covariance=None), x), rel=1e-12)


def test_fixed_parameters_do_not_count_and_coordinates_of_theta_do_not_matter() -> None:
    """With the mean held at zero: −n/(2m₂) + (m₄/m₂² − 1)/m₂; −eᵗx²/2 is the same model."""

    def scale(x: Tensor, theta: Tensor) -> Tensor:
        return -theta[0].exp() * x[:, 0] ** 2 / 2

    x = draws(40)
    second, fourth = x.square().mean().item(), (x**4).mean().item()
    expected = -40 / (2 * second) + (fourth / second**2 - 1) / second
    held = sm.estimate(NORMAL, x, fixed={"eta[1]": 0.0})
    assert smic(held, x) == pytest.approx(expected, rel=1e-9)
    curved = sm.estimate(scale, x, domain=sm.domains.Euclidean(1), theta0=[0.0])
    assert smic(curved, x) == pytest.approx(expected, rel=1e-6)


def test_it_estimates_the_objective_on_new_rows_where_the_objective_itself_is_too_small() -> None:
    """Over 60 draws of n = 100: the mean gap to n times the expected loss is within 3 standard
    errors, that of n J(θ̂) beyond 3. The loss of the true density takes most noise out of both."""
    K, eta = 1 / 2.25, 2 / 2.25

    def expected_loss(theta: Tensor) -> float:
        slope = 2 * theta[0] - theta[1]
        return (-theta[0] + (2.25 * theta[0] ** 2 + slope**2) / 2).item()

    gaps, naive = [], []
    for k in range(60):
        x = draws(100, k)
        found = sm.estimate(NORMAL, x, covariance=None)
        luck = (-K + (K * x - eta).square() / 2).mean().item() - (-K + K / 2)
        wanted = 100 * (expected_loss(found.theta) + luck)
        gaps.append(smic(found, x) - wanted)
        naive.append(100 * found.objective - wanted)
    gap, simple = torch.tensor(gaps), torch.tensor(naive)
    assert abs(gap.mean()) < 3 * gap.std() / 60**0.5
    assert simple.mean() < -3 * simple.std() / 60**0.5


def test_what_is_no_minimum_of_an_objective_is_refused() -> None:
    x = draws(40)
    with pytest.raises(InvalidInput, match="ridge was added"):
        smic(sm.estimate(NORMAL, x, ridge=0.5), x)
    with pytest.raises(InvalidInput, match="40 of them: got 39"):
        smic(sm.estimate(NORMAL, x), x[1:])
    with pytest.raises(InvalidInput, match="other rows"):
        smic(sm.estimate(NORMAL, x), x + 1)
    directions = torch.nn.functional.normalize(
        normal((30, 3), torch.zeros((), dtype=torch.float64), seeded("directions")) + 1, dim=1
    )
    vmf = sm.families.VonMisesFisher(3, direction_first=True)
    with pytest.raises(InvalidInput, match="cross_validation"):
        smic(sm.estimate(vmf, directions), directions)
