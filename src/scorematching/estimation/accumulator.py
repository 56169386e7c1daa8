"""The one mergeable statistic as an estimate under way: `update`, `merge`, `finalize`.

The objective of a density linear in θ depends on the rows through sums alone, so that rows may
come in any portions, from a file larger than memory or from several processes, with the estimate
of all rows at once up to rounding. Standard errors depend on how each row moves the minimiser, and
so take a second pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput
from scorematching.estimation.closed_form import check_ridge
from scorematching.estimation.constraints import Constraints, constraints
from scorematching.estimation.covariance import SANDWICH, Covariance
from scorematching.estimation.distributed import all_reduce
from scorematching.estimation.minimum import LinearMinimum
from scorematching.estimation.portions import as_portions, counted
from scorematching.estimation.result import Estimate
from scorematching.estimation.rows import as_rows, check_enough
from scorematching.estimation.solving import statistic_of
from scorematching.families import ChoosesDomain, LinearFamily, prescribes
from scorematching.structured import Statistic

NO_SECOND_PASS = (
    "no standard errors: they take a second pass over the rows, and these were not kept"
)
IN_MEMORY = "Pass the rows as an array in memory, or a sample of them."


@dataclass(frozen=True, eq=False)
class Accumulator:
    """An estimate under way: rows go in by `update`, and are not kept.

    Immutable: ``so_far = so_far.update(x)``. Two of the same family merge, whichever rows they
    saw, so that processes, files and days may each have their own.

    Parameters
    ----------
    family, domain
        A density linear in its parameters, and where the rows live.
    constraints, ridge
        As in `estimate`.
    empty, statistic
        The sums of no rows, and of those so far.
    """

    family: LinearFamily
    domain: AnyDomain
    constraints: Constraints
    ridge: float
    empty: Statistic
    statistic: Statistic

    @classmethod
    def of(
        cls,
        family: LinearFamily,
        *,
        domain: AnyDomain | None = None,
        fixed: Mapping[str, float] | None = None,
        tied: Iterable[Sequence[str]] = (),
        ridge: float = 0.0,
    ) -> Self:
        """Of no rows; arguments as of `estimate`.

        Raises
        ------
        InvalidInput
            The family is not linear in its parameters, has an estimator of its own, or chooses its
            domain from the rows; or as `estimate`.
        """
        if prescribes(family):
            raise InvalidInput(
                f"{family!r} has an estimator of its own, which needs all rows at once. {IN_MEMORY}"
            )
        if not isinstance(family, LinearFamily):
            raise InvalidInput(
                f"{family!r} is not linear in its parameters: minimising its objective reads the "
                f"rows many times. {IN_MEMORY}"
            )
        if domain is None and isinstance(family, ChoosesDomain):
            raise InvalidInput(f"{family!r} chooses its domain from all rows: give domain=….")
        where = family.domain if domain is None else domain
        if where.d != family.d:
            raise InvalidInput(
                f"{family!r} is of rows with {family.d} columns, and {where!r} of rows with "
                f"{where.d}. Make both with the number of columns of a row."
            )
        bound = constraints(family.names, fixed, tied)
        empty = statistic_of(family, where)
        return cls(family, where, bound, check_ridge(ridge), empty, empty)

    @property
    def n(self) -> int:
        """The number of rows so far."""
        return self.statistic.n

    def update(self, x: Any) -> Self:
        """With the rows x ``(m, d)`` as well: tensor, array or frame, m ≥ 1.

        Raises
        ------
        InvalidInput
            As `estimate` for rows: a value is not finite, or a row lies outside the domain.
        """
        rows = as_rows(x, self.family.d, at_least=1)
        return replace(self, statistic=self.statistic.update(rows))

    def merge(self, other: Self) -> Self:
        """Of the rows of both.

        Raises
        ------
        InvalidInput
            They estimate different things.
        """
        mine, theirs = (repr((e.family, e.domain)) for e in (self, other))
        if mine != theirs or self.constraints.names != other.constraints.names:
            raise InvalidInput(
                f"only accumulators of one family and domain merge: got {mine} and {theirs}."
            )
        return replace(self, statistic=self.statistic.merge(other.statistic))

    def finalize(self, rows: Any = None, covariance: Covariance | None = SANDWICH) -> Estimate:
        """The estimate of the rows so far.

        Parameters
        ----------
        rows
            The same rows once more, for standard errors: anything that `estimate` takes. None:
            the estimate has none, and says so.
        covariance
            Used where there are rows.

        Raises
        ------
        InvalidInput, NotIdentified
            As `estimate`; or the second pass has another number of rows.
        """
        if rows is None:
            found = self.estimate((), None)
            return replace(found, notes=(*found.notes, NO_SECOND_PASS))
        return self.estimate(counted(as_portions(rows, self.family.d), self.n), covariance)

    def all_reduce(self, group: Any = None) -> Self:
        """Of the rows of all processes of torch.distributed; see `distributed.all_reduce`."""
        return replace(self, statistic=all_reduce(self.statistic, group))

    def estimate(self, again: Iterable[Tensor], covariance: Covariance | None) -> Estimate:
        """The estimate, with a covariance from the rows ``(m, d)`` at a time, or None without."""
        if self.n < 2:
            raise InvalidInput(f"an estimate needs at least two rows: got n = {self.n}.")
        minimum = LinearMinimum.of(self.statistic, self.empty, self.constraints, self.ridge)
        uncertainty = None
        if covariance is not None:
            if not self.ridge:
                check_enough(self.n, self.constraints.n_free)
            uncertainty = covariance(minimum, again)
        return Estimate(
            self.family,
            self.domain,
            minimum.theta,
            self.constraints,
            self.n,
            minimum.objective,
            uncertainty,
            minimum.notes,
        )
