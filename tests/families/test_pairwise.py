from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families import quadrature
from families.cases import K3, POSITIVE3, vector
from families.matching import rows_of
from families.moments import assert_moments
from scorematching.domains import MinPower, PositiveOrthant
from scorematching.errors import InvalidInput
from scorematching.families import (
    LogNormalDensity,
    PairwiseDensity,
    PairwiseInteraction,
    TruncatedGaussian,
    TruncatedNormal,
)

K2 = torch.tensor([[2.0, 0.7], [0.7, 1.5]], dtype=torch.float64)
ETA2 = vector(0.8, -0.4)


def test_the_exponential_square_root_model_is_written_out() -> None:
    family = PairwiseInteraction(3, 0.5, 0.5)
    x, eta = POSITIVE3[0], vector(0.4, -0.7, -0.2)
    exponent = family.statistics(x[None])[0] @ family.theta(K3, eta)
    root = x.sqrt()
    torch.testing.assert_close(exponent, -root @ K3 @ root + 2 * eta @ (root - 1))


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.0), (0.0, 0.5), (1.5, 1.0)])
def test_powers_of_zero_are_logarithms(a: float, b: float) -> None:
    family = PairwiseInteraction(3, a, b)
    x, eta = POSITIVE3[1], vector(0.4, -0.7, -0.2)
    y = x.log() if a == 0 else x**a
    linear = x.log() if b == 0 else (x**b - 1) / b
    exponent = family.statistics(x[None])[0] @ family.theta(K3, eta)
    torch.testing.assert_close(exponent, eta @ linear - y @ K3 @ y / (2 * a or 2))


def test_a_power_near_zero_is_nearly_the_logarithm() -> None:
    near, at = (PairwiseInteraction(3, 0.5, b).statistics(POSITIVE3) for b in (1e-9, 0.0))
    torch.testing.assert_close(near, at, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("a", "b", "eta"),
    [
        (0.5, 0.5, ETA2),
        (1.0, 1.0, ETA2),
        (1.0, 0.0, vector(-0.4, 1.3)),
        (0.5, 0.0, ETA2),
        (1.5, 0.5, ETA2),
        (0.3, 0.2, ETA2),
        (0.0, 0.0, ETA2),
    ],
)
def test_the_expected_gradient_is_zero_at_the_truth(a: float, b: float, eta: torch.Tensor) -> None:
    family = PairwiseInteraction(2, a, b)
    theta = family.theta(K2, eta)
    model = family.model(theta)
    # of log x, in two pieces that meet at the kink of the weight min(x, 3)
    pieces = quadrature.panels(-22, math.log(3), 40, 6), quadrature.panels(math.log(3), 5, 6, 8)
    nodes, weights = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    x = torch.cartesian_prod(nodes, nodes).exp()
    weight = torch.outer(weights, weights).flatten() * x.prod(1)
    density = weight * model.log_density(x).exp()
    near = density > 1e-11 * density.max()
    rows = rows_of(family, x[near])
    gradient = (density[near] / density.sum()) @ rows.gradient(theta)
    size = (density[near] / density.sum()) @ rows.gradient(theta).abs()
    assert (gradient.abs() < 1e-4 * size).all()
    wrong = (density[near] / density.sum()) @ rows.gradient(1.02 * theta)
    assert (wrong.abs() > 1e-3 * size).any()


@pytest.mark.parametrize(
    ("a", "b", "power"), [(1.0, 1.0, 1.0), (0.5, 0.5, 1.5), (1.5, 0.7, 1.3), (1.0, 0.0, 2.0)]
)
def test_the_default_weight_leaves_the_estimates_a_variance(
    a: float, b: float, power: float
) -> None:
    family = PairwiseInteraction(1, a, b)
    assert family.domain == PositiveOrthant(1, weight=MinPower(power, 3.0))
    u = torch.linspace(-60, 0, 60_001, dtype=torch.float64)  # log x: x from e⁻⁶⁰ to 1

    def masses(q: float) -> torch.Tensor:
        """∫ (∂ x^{q+m−1})² dx up to each x: what w s leaves of variance near zero."""
        slope = q + min(a, b) - 1
        return ((slope * (u * (slope - 1)).exp()) ** 2 * u.exp()).cumsum(0)

    kept, lost = masses(power), masses(1.5 - min(a, b))
    assert kept[30_000] < 1e-3 * kept[-1]  # below x = e⁻³⁰ there is nothing,
    assert lost[30_000] > 0.4 * lost[-1]  # and here as much as above, without end


def test_the_log_normal_is_that_of_scipy_with_its_moments(generator: torch.Generator) -> None:
    one = PairwiseInteraction(1, 0, 0).model(vector(4.0, 1.0))
    assert isinstance(one, LogNormalDensity)
    oracle = stats.lognorm(s=0.5, scale=math.exp(0.5))  # location (1 + 1)/4, variance 1/4
    x = POSITIVE3[:, :1]
    torch.testing.assert_close(one.log_density(x), torch.from_numpy(oracle.logpdf(x[:, 0].numpy())))
    assert one.mean.item() == pytest.approx(oracle.mean())
    assert one.covariance.item() == pytest.approx(oracle.var())
    family = PairwiseInteraction(2, 0, 0)
    model = family.model(family.theta(8 * K2, ETA2))
    assert isinstance(model, LogNormalDensity)
    assert_moments(model.sample(40_000, generator), model.mean, model.covariance)
    torch.testing.assert_close(model.precision, 8 * K2)


def test_the_powers_one_are_the_truncated_gaussian() -> None:
    family = PairwiseInteraction(2, 1, 1)
    assert isinstance(family.model(family.theta(K2, ETA2)), TruncatedGaussian)
    assert isinstance(PairwiseInteraction(1, 1, 1).model(vector(1.0, 0.5)), TruncatedNormal)


def test_below_zero_the_density_is_zero() -> None:
    for family in (PairwiseInteraction(2), PairwiseInteraction(2, 0, 0)):
        model = family.model(family.theta(K2, ETA2))
        x = torch.tensor([[1.0, -0.1], [1.0, 0.1]], dtype=torch.float64)
        assert model.log_density(x).isfinite().tolist() == [False, True]
        assert model.log_density(x)[0] == -math.inf


@pytest.mark.parametrize(
    ("a", "b", "eta", "complaint"),
    [
        (1.0, 0.0, vector(0.0, -1.0), r"eta\[2\] must be greater than -1"),
        (0.0, 0.5, vector(0.1, 0.0), r"eta\[1\] must not be positive where b > 2a"),
        (0.5, 1.0, vector(0.0, 1.6), r"K − diag\(eta\), as b = 2a, must be positive definite"),
    ],
)
def test_what_has_no_integral_is_refused(
    a: float, b: float, eta: torch.Tensor, complaint: str
) -> None:
    family = PairwiseInteraction(2, a, b)
    with pytest.raises(InvalidInput, match=complaint):
        family.model(family.theta(K2, eta))
    assert isinstance(family.model(family.theta(K2, -0.5 * torch.ones(2))), PairwiseDensity)
    with pytest.raises(InvalidInput, match="K must be positive definite"):
        family.model(family.theta(-K2, eta))


@pytest.mark.parametrize("power", [-0.5, math.inf, math.nan])
def test_negative_and_infinite_powers_are_refused(power: float) -> None:
    with pytest.raises(InvalidInput, match="power b must be at least 0"):
        PairwiseInteraction(2, 0.5, power)
