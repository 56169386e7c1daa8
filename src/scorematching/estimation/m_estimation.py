"""M-estimation: the minimum of a matching objective that is not quadratic in θ (Huber 1967)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput, NotConverged
from scorematching.estimation.closed_form import factorise
from scorematching.estimation.constraints import Constraints
from scorematching.estimation.coordinates import FreeCoordinates
from scorematching.estimation.minimisers import (
    HESSIANS,
    LBFGS,
    Minimiser,
    Outcome,
    TrustRegion,
    scale_of,
    slope_of,
)
from scorematching.estimation.minimum import few_at_a_time
from scorematching.estimation.objective import Objective, row_gradients
from scorematching.estimation.rows import not_finite
from scorematching.families import Family

FEW = 24  # parameters for which Hessians pay while minimising
POLISHING = 5  # Newton steps at most
SAME = 1e-7  # relative difference of objectives that count as one minimum


@dataclass(frozen=True, eq=False)
class InFree:
    """J(θ(u)) in free coordinates u."""

    objective: Objective
    coordinates: FreeCoordinates

    def value_and_gradient(self, u: Tensor) -> tuple[float, Tensor]:
        """J and ∂J/∂u."""
        return self.objective.value_and_gradient(u, self.coordinates)

    def hessian(self, u: Tensor) -> Tensor:
        """∂²J/∂u∂uᵀ."""
        return self.objective.hessian(u, self.coordinates)


@dataclass(frozen=True, eq=False)
class SmoothMinimum:
    """The lowest of the minima found from several starts.

    Parameters
    ----------
    family, domain, x
        The objective.
    coordinates
        θ(u).
    minimiser
        What found it.
    outcome
        Where.
    note
        What was done, in a sentence.
    """

    family: Family
    domain: AnyDomain
    x: Tensor
    coordinates: FreeCoordinates
    minimiser: Minimiser
    outcome: Outcome
    note: str

    @property
    def constraints(self) -> Constraints:
        """θ = Bφ + θ₀."""
        return self.coordinates.constraints

    @property
    def phi(self) -> Tensor:
        """φ̂ ``(k,)``."""
        return self.coordinates.free(self.outcome.u)

    @property
    def theta(self) -> Tensor:
        """θ̂ ``(p,)``."""
        return self.coordinates(self.outcome.u)

    @property
    def objective(self) -> float:
        """J(θ̂)."""
        return self.outcome.value

    def row_terms(self, rows: Iterable[Tensor]) -> Iterator[Tensor]:
        """gᵢ."""
        for part in few_at_a_time(rows, len(self.theta)):
            yield self.constraints.pull_back(
                row_gradients(self.family, self.domain, part, self.theta)
            )

    def sandwich(self, filling: Tensor) -> Tensor:
        """H⁻¹SH⁻¹, H the exact Hessian of J; NotIdentified where J is flat in a direction."""
        objective = Objective.of(self.family, self.domain, self.x)
        curvature = objective.hessian(self.phi, self.constraints.expand)
        return factorise(curvature, self.constraints.free_names).on_both_sides(filling)

    def refit(self, x: Tensor, counts: Tensor) -> Tensor:
        """φ̂ of resampled rows, each minimised from this minimum on."""
        found = []
        for some in counts:
            function = InFree(Objective.of(self.family, self.domain, x, some), self.coordinates)
            outcome = polish(function, self.minimiser(function, self.outcome.u))
            if not outcome.converged:
                raise NotConverged(
                    f"a resample did not converge: {_where(outcome)}. Use Sandwich() instead."
                )
            found.append(self.coordinates.free(outcome.u))
        return torch.stack(found)


def minimise_from(
    family: Family,
    domain: AnyDomain,
    x: Tensor,
    coordinates: FreeCoordinates,
    starts: Tensor,
    minimiser: Minimiser | None = None,
) -> SmoothMinimum:
    """The lowest minimum of J over rows x, from several starts.

    Parameters
    ----------
    starts
        θ ``(m, p)``.
    minimiser
        By default `TrustRegion` for few parameters and `LBFGS` for many.

    Raises
    ------
    NotConverged
        No start led to a minimum, or the lowest lies on the bounds of the parameters.
    InvalidInput
        A start lies outside the bounds, or the loss of a row is not finite.
    """
    k = coordinates.constraints.n_free
    chosen = minimiser or (TrustRegion() if k <= FEW else LBFGS())
    function = InFree(Objective.of(family, domain, x), coordinates)
    begun = [coordinates.start(start) for start in starts]
    outcomes = [chosen(function, start) for start in begun]
    if not any(math.isfinite(each.value) for each in outcomes):
        _refuse(function.objective, domain, x, coordinates(outcomes[0].u))
    best = _lowest(outcomes)
    stuck = coordinates.at_bound(best.u, begun[outcomes.index(best)])
    if stuck is not None:
        raise NotConverged(
            f"the objective has no minimum inside the parameter space: {stuck} runs into its "
            f"bound, {coordinates.free(best.u).tolist()}. Fix it (fixed=…), or use another family."
        )
    best = polish(function, best)
    near = SAME * abs(best.value)
    same = sum(each.value <= best.value + near for each in outcomes if each.converged)
    lower = sum(each.value < best.value - near for each in outcomes if not each.converged)
    note = (
        f"minimised by {type(chosen).__name__} from {len(outcomes)} "
        f"start{'s' if len(outcomes) > 1 else ''}; {same} reached the minimum kept"
        + (f"; {lower} went lower without converging, so it is a local one" if lower else "")
    )
    return SmoothMinimum(family, domain, x, coordinates, chosen, best, note)


def polish(function: InFree, outcome: Outcome) -> Outcome:
    """A few Newton steps from a converged point, each kept only if the gradient gets smaller.

    Of many parameters none: a Hessian would take too many passes.

    Raises
    ------
    NotConverged
        The curvature is not positive there: a saddle, not a minimum.
    """
    u, slope = outcome.u, outcome.slope
    if len(u) > HESSIANS:
        return outcome
    value, gradient = function.value_and_gradient(u)
    for _ in range(POLISHING):
        hessian = function.hessian(u)
        scale = scale_of(u, value, hessian)
        slope = slope_of(value, gradient, scale)
        scaled = scale[:, None] * hessian * scale
        spectrum = torch.linalg.eigvalsh(scaled)
        if bool(spectrum[0] < -1e-8 * spectrum[-1].abs()):
            raise NotConverged(
                "the minimisation ended at a saddle: the curvatures go from "
                f"{spectrum[0].item():g} to {spectrum[-1].item():g}. Start elsewhere (theta0=…) or "
                "constrain parameters."
            )
        if not bool(spectrum[0] > 1e-12 * spectrum[-1]):
            break
        moved = u - scale * torch.linalg.solve(scaled, scale * gradient)
        new_value, new_gradient = function.value_and_gradient(moved)
        new_slope = slope_of(new_value, new_gradient, scale)
        if not new_slope < slope:
            break
        u, value, gradient, slope = moved, new_value, new_gradient, new_slope
    return replace(outcome, u=u, slope=slope, value=value)


def _lowest(outcomes: Sequence[Outcome]) -> Outcome:
    converged = [each for each in outcomes if each.converged]
    if not converged:
        nearest = min(outcomes, key=lambda each: each.slope)
        raise NotConverged(
            f"none of {len(outcomes)} starts converged; the nearest: {_where(nearest)}. Allow more "
            "iterations (minimiser=LBFGS(max_iterations=…)), start nearer (theta0=…), or fix "
            "parameters that the rows hardly determine."
        )
    return min(converged, key=lambda each: each.value)


def _refuse(objective: Objective, domain: AnyDomain, x: Tensor, theta: Tensor) -> None:
    """Raise InvalidInput for the first row whose loss is not finite at θ, if there is one."""
    bad = ~objective.row_losses(theta).isfinite()
    if bool(bad.any()):
        raise not_finite(x, int(bad.nonzero()[0]), domain)


def _where(outcome: Outcome) -> str:
    return (
        f"objective {outcome.value:.6g}, scaled gradient {outcome.slope:.2g} of it "
        f"({outcome.message})"
    )


def check_starts(starts: Tensor, p: int) -> Tensor:
    """Starts as ``(m, p)`` in float64; InvalidInput if they have another shape."""
    value = torch.as_tensor(starts, dtype=torch.float64)
    value = value[None] if value.ndim == 1 else value
    if value.ndim != 2 or value.shape[1] != p or not len(value):
        raise InvalidInput(
            f"starts must have one entry for each of {p} parameters, shape ({p},) or (m, {p}): "
            f"got {tuple(value.shape)}."
        )
    return value
