from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from families.cases import POSITIVE1, vector
from families.moments import assert_moments
from scorematching.errors import InvalidInput
from scorematching.families import Weibull, WeibullDensity


def test_the_density_and_its_moments_are_those_of_scipy() -> None:
    model = Weibull().model(vector(1.8, 0.7))
    oracle = stats.weibull_min(1.8, scale=0.7)
    expected = torch.from_numpy(oracle.logpdf(POSITIVE1[:, 0].numpy()))
    torch.testing.assert_close(model.log_density(POSITIVE1), expected)
    torch.testing.assert_close(Weibull().log_density(POSITIVE1, vector(1.8, 0.7)), expected)
    assert model.mean.item() == pytest.approx(oracle.mean())
    assert model.covariance.item() == pytest.approx(oracle.var())


@pytest.mark.parametrize("k", [0.8, 3.0])
def test_draws_have_the_moments(k: float, generator: torch.Generator) -> None:
    model = WeibullDensity(k, 2.0)
    assert_moments(model.sample(60_000, generator), model.mean, model.covariance)


def test_the_first_start_is_near_the_truth(generator: torch.Generator) -> None:
    x = WeibullDensity(1.8, 0.7).sample(5_000, generator)
    starts = Weibull().starts(x)
    torch.testing.assert_close(starts[0], vector(1.8, 0.7), rtol=0.05, atol=0)
    torch.testing.assert_close(starts[1], torch.stack([torch.ones(()).double(), x.mean()]))


def test_starts_are_inside_the_bounds_even_for_equal_rows() -> None:
    starts = Weibull().starts(torch.full((4, 1), 2.0, dtype=torch.float64))
    assert starts.isfinite().all()
    assert (starts > 0).all()


@pytest.mark.parametrize(("theta", "name"), [((-0.1, 1.0), "k"), ((1.0, 0.0), "lambda")])
def test_parameters_that_are_not_positive_are_named(theta: tuple[float, ...], name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} must be greater than 0.*theta stands"):
        Weibull().model(vector(*theta))


def test_below_zero_the_density_is_zero() -> None:
    assert WeibullDensity(2.0, 1.0).log_density(vector(-0.5)).item() == -math.inf
