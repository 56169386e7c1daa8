"""Estimates with standard errors in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput
from scorematching.estimation.closed_form import check_ridge
from scorematching.estimation.constraints import constraints
from scorematching.estimation.covariance import SANDWICH, Covariance
from scorematching.estimation.linearity import LogDensity, UserFamily, user_family
from scorematching.estimation.minimisers import Minimiser
from scorematching.estimation.portions import as_source
from scorematching.estimation.result import Estimate
from scorematching.estimation.rows import as_rows, check_enough
from scorematching.estimation.solving import Task, solve
from scorematching.estimation.streaming import estimate_in_portions
from scorematching.families import ChoosesDomain, Family, LinearFamily


def estimate(
    family: LinearFamily | Family | LogDensity,
    x: Any,
    *,
    domain: AnyDomain | None = None,
    fixed: Mapping[str, float] | None = None,
    tied: Iterable[Sequence[str]] = (),
    ridge: float = 0.0,
    covariance: Covariance | None = SANDWICH,
    theta0: Any = None,
    names: Sequence[str] | None = None,
    bounds: Sequence[tuple[float, float]] | None = None,
    minimiser: Minimiser | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate an unnormalised density by (generalised) score matching, with standard errors.

    The mean over rows of ½ s·v + div v, v = P(w · P s), s = ∇ₓ log p(·; θ), is minimised; the
    normalising constant is never needed. A log-density linear in θ is solved in closed form,
    θ̂ = −A⁻¹b; any other is minimised from several starts.

    Parameters
    ----------
    family
        A member of `sm.families`, anything with its members, or a function log_density(x, theta)
        of torch operations, ``(n, d)``, ``(p,)`` → ``(n,)``, up to a constant; whether it is linear
        in θ is found out and said in the notes.
    x
        Rows ``(n, d)``: tensor, NumPy array or data frame; computed in float64. Or rows that need
        not fit into memory, for densities linear in θ: `Chunks` of a Parquet or CSV file, or its
        path; a Dask array or frame; `Shard`, the rows of one process of many.
    domain
        Where the rows live; the family's own by default.
    fixed
        Parameters held at a value: ``{"beta[1]": -0.8}``.
    tied
        Groups of parameters that share a value: ``[("K[2,1]", "K[3,2]")]``.
    ridge
        λ of ½ λ‖φ‖², added to the objective of a linear family; φ are the free parameters.
    covariance
        `Sandwich` (the default), `ClusterRobust`, `Bootstrap`, or None for θ̂ alone.
    theta0
        A start ``(p,)`` or several ``(m, p)``; needed for a log-density of one's own.
    names, bounds
        Of the parameters of a log-density of one's own.
    minimiser
        `TrustRegion` or `LBFGS`, for families that are not linear.
    seed
        Of the random starts of such families.

    Returns
    -------
    Estimate
        θ̂, covariance, intervals, tests, `summary()`, and `model`, the fitted density.

    Raises
    ------
    InvalidInput
        A row lies outside the domain or is not finite, all rows lie on a boundary, there are fewer
        rows than free parameters while a covariance is asked for, or an option has no effect.
    NotIdentified
        The rows do not determine θ; the message names the directions.
    NotConverged
        No start of the minimisation led to a minimum.

    References
    ----------
    A. Hyvärinen, JMLR 6 (2005) and CSDA 51 (2007); P. J. Huber, Proc. 5th Berkeley Symp. (1967).
    """
    own = _as_family(family, domain, theta0, names, bounds)
    source = as_source(x)
    if source is not None:
        if minimiser is not None or (theta0 is not None and not isinstance(own, UserFamily)):
            raise InvalidInput(
                "theta0 and minimiser have no effect on rows in portions: only densities linear in "
                "their parameters are estimated from those. Leave them out."
            )
        return estimate_in_portions(
            own,
            source,
            domain=domain,
            fixed=fixed,
            tied=tied,
            ridge=ridge,
            covariance=covariance,
        )
    rows = as_rows(x, own.d)
    bound = constraints(own.names, fixed, tied)
    where = _domain(own, rows, domain)
    starts = None if isinstance(own, UserFamily) else theta0
    task = Task(own, where, rows, bound, check_ridge(ridge), starts, minimiser, seed)
    solved = solve(task)
    uncertainty = None
    if covariance is not None:
        if not ridge:
            check_enough(len(rows), bound.n_free)
        uncertainty = covariance(solved.minimum, [rows])
    return Estimate(
        solved.family,
        where,
        bound.expand(solved.minimum.phi),
        bound,
        len(rows),
        solved.objective,
        uncertainty,
        solved.notes,
    )


def _as_family(
    family: LinearFamily | Family | LogDensity,
    domain: AnyDomain | None,
    theta0: Any,
    names: Sequence[str] | None,
    bounds: Sequence[tuple[float, float]] | None,
) -> LinearFamily | Family:
    """The family itself, or a log-density of one's own as one."""
    if isinstance(family, LinearFamily | Family):
        if names is not None or bounds is not None:
            raise InvalidInput(
                "names and bounds are for a log-density of one's own: a family has its own."
            )
        return family
    if not callable(family) or isinstance(family, type):
        raise InvalidInput(
            f"expected a family or a function log_density(x, theta): got {family!r}. Families are "
            "made with their dimension, sm.families.Gaussian(3)."
        )
    return user_family(family, domain, theta0, names, bounds)


def _domain(family: LinearFamily | Family, x: Tensor, given: AnyDomain | None) -> AnyDomain:
    """Where the rows live: as given, or as the family says."""
    if given is None:
        return family.domain_for(x) if isinstance(family, ChoosesDomain) else family.domain
    if given.d != family.d:
        raise InvalidInput(
            f"{family!r} is of rows with {family.d} columns, and {given!r} of rows with {given.d}. "
            "Make both with the number of columns of x."
        )
    return given
