from __future__ import annotations

import pytest
import torch
from scipy import stats

from families.cases import REAL1, vector
from families.moments import assert_moments
from scorematching.errors import InvalidInput
from scorematching.families import ExponentialPower, ExponentialPowerDensity


def test_the_density_and_its_moments_are_those_of_scipy() -> None:
    family = ExponentialPower(0.3)
    model = family.model(vector(1.4, 2.6))
    oracle = stats.gennorm(2.6, loc=0.3, scale=1.4)
    expected = torch.from_numpy(oracle.logpdf(REAL1[:, 0].numpy()))
    torch.testing.assert_close(model.log_density(REAL1), expected)
    torch.testing.assert_close(family.log_density(REAL1, vector(1.4, 2.6)), expected)
    assert model.mean.item() == pytest.approx(oracle.mean())
    assert model.location.item() == 0.3
    assert model.covariance.item() == pytest.approx(oracle.var())


@pytest.mark.parametrize("beta", [1.1, 2.0, 5.0])
def test_draws_have_the_moments(beta: float, generator: torch.Generator) -> None:
    model = ExponentialPowerDensity(-1.0, 2.0, beta)
    assert_moments(model.sample(60_000, generator), model.mean, model.covariance)


def test_starts_maximise_the_likelihood_in_alpha(generator: torch.Generator) -> None:
    family = ExponentialPower(0.5)
    x = ExponentialPowerDensity(0.5, 1.3, 3.0).sample(500, generator)
    for start in family.starts(x):
        theta = start.clone().requires_grad_()
        family.log_density(x, theta).mean().backward()  # type: ignore[no-untyped-call]
        assert theta.grad is not None
        assert theta.grad[0].abs() < 1e-10
        assert all(
            low < value < high for (low, high), value in zip(family.bounds, start, strict=True)
        )


@pytest.mark.parametrize(("theta", "name"), [((-0.1, 1.0), "alpha"), ((1.0, 0.0), "beta")])
def test_parameters_that_are_not_positive_are_named(theta: tuple[float, ...], name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} must be greater than 0.*theta stands"):
        ExponentialPower().model(vector(*theta))
