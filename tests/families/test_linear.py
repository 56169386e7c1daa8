from __future__ import annotations

import math

import pytest
import torch

from families import cases
from families.cases import Case, vector
from scorematching.domains import Ball
from scorematching.families import FamilyDensity, Gaussian, LinearDensity


@pytest.mark.parametrize("case", cases.LINEAR, ids=str)
def test_straight_from_the_statistics_the_score_is_that_of_the_model(case: Case) -> None:
    density = LinearDensity(case.family, case.theta)
    torch.testing.assert_close(density.score(case.x), case.model.score(case.x))
    assert not density.normalised


@pytest.mark.parametrize("case", cases.OTHERS, ids=str)
def test_straight_from_the_family_the_score_is_that_of_the_model(case: Case) -> None:
    density = FamilyDensity(case.family, case.theta)
    torch.testing.assert_close(density.score(case.x), case.model.score(case.x))
    assert not density.normalised


def test_a_known_normaliser_is_taken_off() -> None:
    theta = vector(1.0, 0.0)  # the standard normal
    density = LinearDensity(Gaussian(1), theta, log_normaliser=math.log(2 * math.pi) / 2)
    assert density.normalised
    x = vector(-1.0, 0.5)
    torch.testing.assert_close(density.log_density(x), Gaussian(1).model(theta).log_density(x))


def test_outside_the_domain_the_density_is_zero() -> None:
    density = LinearDensity(Gaussian(1), vector(1.0, 0.0), domain=Ball(1))
    assert density.log_density(vector(0.5, 2.0)).isfinite().tolist() == [True, False]
    case = cases.OTHERS[0]
    density = FamilyDensity(case.family, case.theta, Ball(1))
    assert density.log_density(vector(0.5, 2.0)).isfinite().tolist() == [True, False]
