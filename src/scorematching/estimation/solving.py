"""Which way leads to θ̂: a family's own, the closed form, or a minimisation from several starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from scorematching.domains import AnyDomain, check_interior
from scorematching.errors import InvalidInput, NotIdentified
from scorematching.estimation.constraints import Constraints
from scorematching.estimation.coordinates import FreeCoordinates
from scorematching.estimation.linearity import UserFamily, UserLinearFamily, is_linear
from scorematching.estimation.m_estimation import check_starts, minimise_from
from scorematching.estimation.minimisers import Minimiser
from scorematching.estimation.minimum import LinearMinimum, Minimum, PrescribedMinimum
from scorematching.estimation.objective import Objective
from scorematching.estimation.quadratic import Quadratic
from scorematching.families import Family, LinearFamily, PrescribesFit
from scorematching.random import seeded
from scorematching.structured import Statistic, rule_for


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be estimated.

    Parameters
    ----------
    family, domain, x
        The density, and the rows ``(n, d)`` in float64.
    constraints
        θ = Bφ + θ₀.
    ridge
        Of linear families.
    theta0
        Starts of other families, or None for the family's own.
    minimiser
        Of other families, or None for the default.
    seed
        Of random starts.
    """

    family: LinearFamily | Family
    domain: AnyDomain
    x: Tensor
    constraints: Constraints
    ridge: float
    theta0: Any
    minimiser: Minimiser | None
    seed: int


@dataclass(frozen=True, eq=False)
class Solved:
    """A minimum, the objective there, and what to say of the way to it."""

    family: LinearFamily | Family
    minimum: Minimum
    objective: float
    notes: tuple[str, ...]


def solve(task: Task) -> Solved:
    """θ̂ in the way that the family asks for.

    Raises
    ------
    InvalidInput
        An option has no effect; a row lies outside the domain; all rows lie on a boundary.
    NotIdentified, NotConverged
        The rows do not determine θ; no start led to a minimum.
    """
    try:
        prescribed = _prescribed(task)
        if prescribed is not None:
            return prescribed
        if isinstance(task.family, UserFamily):
            return _users(task, task.family)
        if isinstance(task.family, LinearFamily):
            return _closed_form(task, task.family)
        return _minimised(task, task.family)
    except NotIdentified:
        # Rows that all lie on a boundary are the likelier thing to be told of.
        check_interior(task.domain, task.x)
        raise


def statistic_of(family: LinearFamily, domain: AnyDomain) -> Statistic:
    """The statistic of no rows: a hand-written rule where there is one, else by differentiation."""
    return rule_for(family, domain) or Quadratic.of(family, domain)


def _closed_form(task: Task, family: LinearFamily) -> Solved:
    if task.theta0 is not None or task.minimiser is not None:
        raise InvalidInput(
            f"theta0 and minimiser have no effect: {family!r} is linear in its parameters and "
            "solved in closed form. Leave them out."
        )
    empty = statistic_of(family, task.domain)
    full = empty.update(task.x)
    minimum = LinearMinimum.of(full, empty, task.constraints, task.ridge)
    return Solved(family, minimum, minimum.objective, minimum.notes)


def _minimised(task: Task, family: Family) -> Solved:
    if task.ridge:
        raise InvalidInput(
            f"ridge is for densities linear in their parameters, and {family!r} is not. Fix or tie "
            "parameters (fixed=…, tied=…), or add a penalty to a log-density of your own."
        )
    task.domain.check(task.x)
    check_interior(task.domain, task.x)
    coordinates = FreeCoordinates.of(task.constraints, family.bounds)
    starts = (
        family.starts(task.x, seeded(task.seed, "starts"))
        if task.theta0 is None
        else check_starts(task.theta0, len(family.names))
    )
    minimum = minimise_from(family, task.domain, task.x, coordinates, starts, task.minimiser)
    return Solved(family, minimum, minimum.objective, (minimum.note,))


def _users(task: Task, family: UserFamily) -> Solved:
    """A log-density of one's own: in closed form if it is linear in θ."""
    task.domain.check(task.x)
    if task.minimiser is None and is_linear(family, task.x):
        linear = UserLinearFamily(family)
        solved = _closed_form(replace(task, theta0=None), linear)
        theta = task.constraints.expand(solved.minimum.phi)
        if is_linear(family, task.x, theta):
            found = f"{family!r} is linear in theta: solved in closed form"
            return replace(solved, notes=(found, *solved.notes))
    solved = _minimised(replace(task, theta0=family.theta0), family)
    found = f"{family!r} is not linear in theta"
    return replace(solved, notes=(found, *solved.notes) if task.minimiser is None else solved.notes)


def _prescribed(task: Task) -> Solved | None:
    """The family's own estimator, where it has one."""
    family = task.family
    if not isinstance(family, PrescribesFit) or not family.prescribes:
        return None
    task.domain.check(task.x)
    plain = task.constraints.trivial and not task.ridge and task.domain == family.domain
    if not plain or task.theta0 is not None or task.minimiser is not None:
        raise InvalidInput(
            f"{family!r} has an estimator of its own, on which domain, fixed, tied, ridge, theta0 "
            "and minimiser have no effect. Leave them out, or match jointly: direction_first=False "
            "for von Mises–Fisher, Bingham(d) for Watson."
        )
    fit = family.fit(task.x)
    if isinstance(family, LinearFamily):
        objective = statistic_of(family, task.domain).update(task.x).finalize()(fit.theta)
    else:
        objective = Objective.of(family, task.domain, task.x).value(fit.theta)
    minimum = PrescribedMinimum(family, fit, task.constraints)
    return Solved(family, minimum, objective.item(), (fit.note,))
