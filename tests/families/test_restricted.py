from __future__ import annotations

import math

import pytest
import torch

from families import cases
from families.cases import Case, vector
from scorematching.domains import (
    AnyDomain,
    Box,
    Euclidean,
    FlatSimplex,
    InCoordinates,
    Log,
    LogRatioSimplex,
    PositiveOrthant,
    PositiveSphere,
    Power,
)
from scorematching.errors import InvalidInput
from scorematching.families import (
    Dirichlet,
    DirichletDensity,
    Gamma,
    GammaDensity,
    LinearDensity,
    VonMisesFisher,
    Weibull,
    model_on,
)


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_on_its_own_domain_it_is_the_model(case: Case) -> None:
    for domain in (None, case.family.domain):
        model = model_on(case.family, case.theta, domain)
        assert type(model) is type(case.model)
        assert torch.equal(model.log_density(case.x), case.model.log_density(case.x))


@pytest.mark.parametrize(
    "domain",
    [
        PositiveOrthant(1, weight=Power(1)),
        InCoordinates(Euclidean(1), Log()),
        Euclidean(1),
        Box(0, math.inf),
    ],
)
def test_weights_and_coordinates_leave_the_density_as_it_is(domain: AnyDomain) -> None:
    assert isinstance(model_on(Gamma(), vector(5.0, 1.0), domain), GammaDensity)


def test_all_geometries_of_the_simplex_give_the_dirichlet_density() -> None:
    for domain in (FlatSimplex(3), LogRatioSimplex(3)):
        assert isinstance(model_on(Dirichlet(3), torch.zeros(3), domain), DirichletDensity)


def test_elsewhere_the_constant_is_unknown_and_outside_the_density_zero() -> None:
    linear = model_on(Gamma(), vector(5.0, 1.0), Box(1.0, 2.0))
    other = model_on(Weibull(), vector(5.0, 1.0), Box(1.0, 2.0))
    for model in (linear, other):
        assert not model.normalised
        assert model.log_density(vector(0.5, 1.5)).isfinite().tolist() == [False, True]
    part = model_on(VonMisesFisher(3), vector(1.0, 0.0, 0.0), PositiveSphere(3))
    assert isinstance(part, LinearDensity)
    assert part.log_density(-torch.eye(3).double()).tolist() == [-math.inf] * 3


def test_parameters_outside_the_space_are_refused_on_every_domain() -> None:
    for domain in (None, PositiveOrthant(1), Euclidean(1)):
        with pytest.raises(InvalidInput, match="alpha must be greater than 0"):
            model_on(Gamma(), vector(-1.0, 1.0), domain)
    with pytest.raises(InvalidInput, match="one entry for each of 2"):
        model_on(Gamma(), vector(1.0), Box(1.0, 2.0))
