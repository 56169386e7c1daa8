"""Estimates with standard errors in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scorematching.domains import AnyDomain
from scorematching.estimation.closed_form import check_ridge
from scorematching.estimation.constraints import constraints
from scorematching.estimation.covariance import Covariance, Sandwich
from scorematching.estimation.minimum import LinearMinimum
from scorematching.estimation.quadratic import Quadratic
from scorematching.estimation.result import Estimate
from scorematching.estimation.rows import as_rows
from scorematching.families import LinearFamily
from scorematching.structured import Statistic, rule_for

SANDWICH = Sandwich()


def estimate(
    family: LinearFamily,
    x: Any,
    *,
    domain: AnyDomain | None = None,
    fixed: Mapping[str, float] | None = None,
    tied: Iterable[Sequence[str]] = (),
    ridge: float = 0.0,
    covariance: Covariance | None = SANDWICH,
) -> Estimate:
    """x"""
    where = family.domain if domain is None else domain
    rows = as_rows(x, family.d)
    bound = constraints(family.names, fixed, tied)
    empty = statistic_of(family, where)
    full = empty.update(rows)
    minimum = LinearMinimum.of(full, empty, bound, check_ridge(ridge))
    uncertainty = covariance(minimum, [rows]) if covariance else None
    return Estimate(family, where, minimum.theta, bound, full.n, minimum.objective, uncertainty, ())


def statistic_of(family: LinearFamily, domain: AnyDomain) -> Statistic:
    """The statistic of no rows: a hand-written rule where there is one, else by differentiation."""
    return rule_for(family, domain) or Quadratic.of(family, domain)
