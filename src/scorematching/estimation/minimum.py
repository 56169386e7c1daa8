"""What standard errors need of a minimised objective: how each row moves the minimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.estimation.closed_form import Factor, factorise, minimise, with_ridge
from scorematching.estimation.constraints import Constraints
from scorematching.estimation.quadratic import Quadratic
from scorematching.structured import ExplicitMinimiser, Statistic

CELLS = 2**22  # entries of the resampled A held at a time


class Influence(Protocol):
    """The influence of rows on the free parameters: φ̂ − φ ≈ its mean (Huber 1967)."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """−H⁻¹gᵢ at φ̂, H the curvature of the objective: x ``(m, d)`` → ``(m, k)``."""


class Minimum(Protocol):
    """The minimiser φ̂ of a mean over rows, φ the free parameters ``(k,)``."""

    @property
    def phi(self) -> Tensor:
        """φ̂."""

    @property
    def constraints(self) -> Constraints:
        """θ = Bφ + θ₀."""

    def influence(self) -> Influence:
        """Of each row, at φ̂; NotIdentified where the curvature is singular."""

    def refit(self, x: Tensor, counts: Tensor) -> Tensor:
        """φ̂ of rows x ``(n, d)`` taken as often as counts ``(B, n)`` says, ``(B, k)``."""


@dataclass(frozen=True, eq=False)
class LinearInfluence:
    """−(A + ridge·I)⁻¹(gᵢ − ḡ); ḡ, the mean, is zero unless there is a ridge."""

    statistic: Statistic
    constraints: Constraints
    theta: Tensor
    mean: Tensor
    factor: Factor

    def __call__(self, x: Tensor) -> Tensor:
        gradients = self.constraints.pull_back(self.statistic.row_gradients(x, self.theta))
        return -self.factor.solve((gradients - self.mean).mT).mT


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

    def influence(self) -> Influence:
        """−(A + ridge·I)⁻¹gᵢ."""
        statistic, free = self.statistic, self.constraints.trivial and not self.ridge
        if isinstance(statistic, ExplicitMinimiser) and free:
            return statistic.row_influences
        form = self.constraints.pull_back_form(statistic.finalize())
        factor = factorise(with_ridge(form.A, self.ridge), self.constraints.free_names)
        mean = form.gradient(self.phi)
        return LinearInfluence(statistic, self.constraints, self.theta, mean, factor)

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


def minimiser(statistic: Statistic, constraints: Constraints, ridge: float) -> Tensor:
    """φ̂ of a statistic, by its own way where it has one and nothing is asked for that it lacks."""
    if isinstance(statistic, ExplicitMinimiser) and constraints.trivial and not ridge:
        return statistic.minimiser()
    form = constraints.pull_back_form(statistic.finalize())
    return minimise(form, constraints.free_names, ridge)
