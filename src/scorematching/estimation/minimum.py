"""What standard errors need of a minimised objective: how each row moves the minimiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.estimation.closed_form import factorise, minimise, with_ridge
from scorematching.estimation.constraints import Constraints
from scorematching.estimation.quadratic import Quadratic
from scorematching.families import PrescribedFit, PrescribesFit
from scorematching.structured import ExplicitMinimiser, Statistic

CELLS = 2**22  # entries of the resampled A held at a time
ROW_CELLS = 2**20  # row gradients held at a time
RIDGE = "a ridge shrinks the estimates; the standard errors are those of the shrunken ones"


class Minimum(Protocol):
    """The minimiser φ̂ of a mean over rows, φ the free parameters ``(k,)``."""

    @property
    def phi(self) -> Tensor:
        """φ̂."""

    @property
    def constraints(self) -> Constraints:
        """θ = Bφ + θ₀."""

    def row_terms(self, rows: Iterable[Tensor], /) -> Iterator[Tensor]:
        """What each row adds: gradients gᵢ by φ at φ̂, or influences −H⁻¹gᵢ where those are known.

        Of rows in portions ``(m, d)``, ``(m', k)`` at a time.
        """

    def sandwich(self, filling: Tensor, /) -> Tensor:
        """H⁻¹SH⁻¹ of products S ``(k, k)`` of row terms; S itself where they are influences.

        H is the curvature of the objective, and φ̂ − φ ≈ mean −H⁻¹gᵢ (Huber 1967). NotIdentified
        where H is singular.
        """

    def refit(self, x: Tensor, counts: Tensor) -> Tensor:
        """φ̂ of rows x ``(n, d)`` taken as often as counts ``(B, n)`` says, ``(B, k)``."""


@dataclass(frozen=True, eq=False)
class LinearMinimum:
    """φ̂ = −(A + ridge·I)⁻¹b of a quadratic objective.

    Parameters
    ----------
    statistic
        Of the rows.
    empty
        Of no rows.
    constraints
        θ = Bφ + θ₀.
    ridge
        ½ ridge ‖φ‖² is added to the objective.
    phi
        φ̂.
    """

    statistic: Statistic
    empty: Statistic
    constraints: Constraints
    ridge: float
    phi: Tensor

    @classmethod
    def of(
        cls, statistic: Statistic, empty: Statistic, constraints: Constraints, ridge: float = 0.0
    ) -> LinearMinimum:
        """Solve for φ̂; NotIdentified where the rows do not determine it."""
        phi = minimiser(statistic, constraints, ridge)
        return cls(statistic, empty, constraints, ridge, phi)

    @property
    def theta(self) -> Tensor:
        """θ̂ ``(p,)``."""
        return self.constraints.expand(self.phi)

    @property
    def objective(self) -> float:
        """J(θ̂), without the ridge's part."""
        if isinstance(self.statistic, ExplicitMinimiser):
            return self.statistic.objective(self.theta)
        return self.statistic.finalize()(self.theta).item()

    @property
    def notes(self) -> tuple[str, ...]:
        """What to beware of."""
        return (RIDGE,) if self.ridge else ()

    @property
    def _explicit(self) -> ExplicitMinimiser | None:
        """The statistic, if it gives φ̂ in its own way."""
        return explicit(self.statistic, self.constraints, self.ridge)

    def row_terms(self, rows: Iterable[Tensor]) -> Iterator[Tensor]:
        """gᵢ − ḡ, ḡ zero unless there is a ridge; influences where φ̂ is found in another way."""
        statistic, bound, theta = self.statistic, self.constraints, self.theta
        portions = few_at_a_time(rows, len(theta))
        if self._explicit is not None:
            yield from map(self._explicit.row_influences, portions)
            return
        mean = bound.pull_back_form(statistic.finalize()).gradient(self.phi)
        for part in portions:
            yield bound.pull_back(statistic.row_gradients(part, theta)) - mean

    def sandwich(self, filling: Tensor) -> Tensor:
        """(A + ridge·I)⁻¹S(A + ridge·I)⁻¹."""
        if self._explicit is not None:
            return filling
        A = self.constraints.pull_back_form(self.statistic.finalize()).A
        factor = factorise(with_ridge(A, self.ridge), self.constraints.free_names)
        return factor.on_both_sides(filling)

    def refit(self, x: Tensor, counts: Tensor) -> Tensor:
        """φ̂ of resampled rows, from resampled sums of Aᵢ and bᵢ where there are such."""
        if not isinstance(self.empty, Quadratic):
            portions = (self.empty.update(x.repeat_interleave(some, 0)) for some in counts)
            found = [minimiser(each, self.constraints, self.ridge) for each in portions]
            return torch.stack(found)
        at_a_time = max(1, CELLS // self.empty.total.numel())
        return torch.stack(
            [
                minimise(
                    self.constraints.pull_back_form(form), self.constraints.free_names, self.ridge
                )
                for some in torch.split(counts, at_a_time)
                for form in self.empty.resampled(x, some.to(x))
            ]
        )


def explicit(
    statistic: Statistic, constraints: Constraints, ridge: float
) -> ExplicitMinimiser | None:
    """The statistic, if it has a way of its own to θ̂ and nothing is asked for that this lacks."""
    plain = isinstance(statistic, ExplicitMinimiser) and constraints.trivial and not ridge
    return statistic if plain else None  # type: ignore[return-value]


def minimiser(statistic: Statistic, constraints: Constraints, ridge: float) -> Tensor:
    """φ̂ of a statistic, in its own way or from A and b."""
    own = explicit(statistic, constraints, ridge)
    if own is not None:
        return own.minimiser()
    form = constraints.pull_back_form(statistic.finalize())
    return minimise(form, constraints.free_names, ridge)


@dataclass(frozen=True, eq=False)
class PrescribedMinimum:
    """What a family's own estimator found; φ = θ."""

    family: PrescribesFit
    fit: PrescribedFit
    constraints: Constraints

    @property
    def phi(self) -> Tensor:
        """θ̂."""
        return self.fit.theta

    def row_terms(self, rows: Iterable[Tensor]) -> Iterator[Tensor]:
        """The influences that came with the fit; the rows are not read again."""
        yield self.fit.influence

    def sandwich(self, filling: Tensor) -> Tensor:
        """S itself."""
        return filling

    def refit(self, x: Tensor, counts: Tensor) -> Tensor:
        """The family's own estimate of resampled rows."""
        found = (self.family.fit(x.repeat_interleave(some, 0)) for some in counts)
        return torch.stack([fit.theta for fit in found])


def few_at_a_time(rows: Iterable[Tensor], p: int) -> Iterator[Tensor]:
    """Portions of rows cut so small that p numbers for each fit into memory."""
    for portion in rows:
        yield from torch.split(portion, max(1, ROW_CELLS // p))
