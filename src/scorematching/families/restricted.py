"""The fitted density on the domain that the rows were said to live in."""

from __future__ import annotations

from torch import Tensor

from scorematching.domains import AnyDomain, Box, Euclidean, PositiveOrthant
from scorematching.families.family import (
    Family,
    FittedDensity,
    LinearFamily,
    ModelsDomains,
    check_theta,
)
from scorematching.families.linear import FamilyDensity, LinearDensity
from scorematching.families.supports import support


def model_on(
    family: LinearFamily | Family, theta: Tensor, domain: AnyDomain | None = None
) -> FittedDensity:
    """The density of a family at θ ``(p,)`` on a domain.

    On the set where the family naturally lives, with whatever weight and coordinates, this is
    ``family.model(theta)``; so it is for a family of positive or bounded numbers that was matched
    on Euclidean space. On another set it is what the family knows of itself there (a truncated
    Gaussian), or else its density up to a constant, zero outside the set.

    Raises
    ------
    InvalidInput
        θ lies outside the parameter space.
    """
    if domain is None:
        return family.model(theta)
    here, natural = support(domain), support(family.domain)
    if here == natural or (
        isinstance(here, Euclidean) and isinstance(natural, PositiveOrthant | Box)
    ):
        return family.model(theta)
    if isinstance(family, ModelsDomains):
        return family.model_on(theta, domain)
    value = check_theta(theta, family.names)
    if isinstance(family, LinearFamily):
        return LinearDensity(family, value, domain=domain)
    return FamilyDensity(family, value, domain)
