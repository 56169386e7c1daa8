from __future__ import annotations

import math

import pytest
import torch
from scipy import special, stats

from families.cases import vector
from families.moments import z_scores
from scorematching.errors import InvalidInput
from scorematching.families.draws import directions, log_gamma_variates, rejection, unit
from scorematching.random import uniform


def test_log_gamma_variates_have_the_moments_of_the_logarithm(generator: torch.Generator) -> None:
    shape = vector(0.01, 0.3, 1.0, 30.0)
    x = log_gamma_variates(shape, 60_000, generator)
    mean = torch.from_numpy(special.digamma(shape.numpy()))
    variance = torch.from_numpy(special.polygamma(1, shape.numpy()))
    assert x.isfinite().all()
    assert z_scores(x, mean).abs().max() < 4.5
    assert z_scores((x - mean) ** 2, variance).abs().max() < 4.5


@pytest.mark.parametrize("shape", [0.4, 2.5])
def test_gamma_variates_follow_the_distribution_function(
    shape: float, generator: torch.Generator
) -> None:
    x = log_gamma_variates(vector(shape), 20_000, generator).exp()[:, 0]
    # at this size a distance of 0.0143 has probability 1e-3·½
    assert stats.kstest(x.numpy(), stats.gamma(shape).cdf).statistic < 0.0143


def test_directions_are_uniform(generator: torch.Generator) -> None:
    x = directions(20_000, 4, vector(0.0), generator)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(20_000).double())
    assert z_scores(x).abs().max() < 4.5
    assert z_scores(x**4, 3 / (4 * 6)).abs().max() < 4.5
    assert set(directions(10, 1, vector(0.0), generator).flatten().tolist()) == {-1.0, 1.0}


def test_rejection_thins_by_the_probability(generator: torch.Generator) -> None:
    def propose(m: int, source: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        x = uniform((m, 1), vector(0.0), source)
        return x, x[:, 0].log()  # leaves the density 2x, of mean ⅔

    x = rejection(propose, 20_000, vector(0.0), generator)
    assert x.shape == (20_000, 1)
    assert z_scores(x, 2 / 3).abs() < 4.5
    assert rejection(propose, 0, vector(0.0), generator).shape == (0, 1)


def test_hopeless_rejection_is_an_error(generator: torch.Generator) -> None:
    def propose(m: int, source: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(m, 1), torch.full((m,), -math.inf)

    with pytest.raises(InvalidInput, match="accepts too few proposals: 0 of"):
        rejection(propose, 5, vector(0.0), generator)


def test_unit_vectors_come_one_or_many() -> None:
    torch.testing.assert_close(unit(vector(3.0, 4.0)), vector(0.6, 0.8))
    assert unit(torch.ones(2, 4)).tolist() == [[0.5] * 4] * 2
