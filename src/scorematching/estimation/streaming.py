"""`estimate` of rows in portions: one pass for θ̂, a second for its covariance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scorematching.domains import AnyDomain, check_interior
from scorematching.errors import DataError, InvalidInput, NotIdentified
from scorematching.estimation.accumulator import IN_MEMORY, Accumulator
from scorematching.estimation.covariance import Covariance
from scorematching.estimation.distributed import Shard, agree
from scorematching.estimation.linearity import UserFamily, UserLinearFamily, is_linear
from scorematching.estimation.portions import Portions, counted
from scorematching.estimation.result import Estimate
from scorematching.families import Family, LinearFamily


def accumulated(start: Accumulator, source: Portions) -> Accumulator:
    """With the rows of a source; an error says which portion its row is counted in."""
    so_far, failed = start, None
    try:
        for portion in source.portions(start.family.d):
            so_far = so_far.update(portion)
    except InvalidInput as error:
        failed = error
        if so_far.n > start.n and not isinstance(error, DataError):
            where = f"(Its row is counted from row {so_far.n - start.n} of {source}.)"
            failed = InvalidInput(f"{error} {where}")
    if isinstance(source, Shard):
        agree(failed, source.group)
    elif failed is not None:
        raise failed
    return so_far


def estimate_in_portions(
    family: LinearFamily | Family,
    source: Portions,
    *,
    domain: AnyDomain | None,
    fixed: Mapping[str, float] | None,
    tied: Iterable[Sequence[str]],
    ridge: float,
    covariance: Covariance | None,
) -> Estimate:
    """`estimate` of rows in portions: one pass for θ̂, a second for the covariance.

    Raises
    ------
    InvalidInput, NotIdentified
        As `Accumulator`.
    """
    notes: tuple[str, ...] = ()
    if isinstance(family, UserFamily):
        first = next(iter(source.portions(family.d)), None)
        if first is not None and is_linear(family, first):
            notes = (f"{family!r} is linear in theta: solved in closed form",)
            family = UserLinearFamily(family)
    start = Accumulator.of(
        family,  # type: ignore[arg-type]  # what is not linear is refused there
        domain=domain,
        fixed=fixed,
        tied=tied,
        ridge=ridge,
    )
    so_far = accumulated(start, source)
    again = counted(source.portions(family.d), so_far.n)
    if isinstance(source, Shard):
        so_far, covariance = so_far.all_reduce(source.group), source.covariance(covariance)
    try:
        found = so_far.estimate(again, covariance)
    except NotIdentified:
        # Rows that all lie on a boundary are the likelier thing to be told of.
        _check_interior(so_far.domain, source)
        raise
    if isinstance(family, UserLinearFamily):
        # Linear where it was tried first; at the estimate as well?
        first = next(iter(source.portions(family.d)))
        if not is_linear(family.of, first, found.theta):
            raise InvalidInput(f"{family!r} is not linear in theta. {IN_MEMORY}")
    return replace(found, notes=(*notes, *found.notes))


def _check_interior(domain: AnyDomain, source: Portions) -> None:
    error: InvalidInput | None = None
    for portion in source.portions(domain.d):
        try:
            check_interior(domain, portion)
            return
        except InvalidInput as found:
            error = found
    if error is not None:
        raise error
