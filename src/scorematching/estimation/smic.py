"""The score matching information criterion: comparing models by the rows they were made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput
from scorematching.estimation.closed_form import factorise
from scorematching.estimation.minimum import few_at_a_time
from scorematching.estimation.objective import Objective, row_gradients
from scorematching.estimation.result import Estimate
from scorematching.estimation.rows import as_rows
from scorematching.estimation.solving import statistic_of
from scorematching.families import Family, LinearFamily, prescribes


def smic(estimate: Estimate, x: Any) -> float:
    """n J(θ̂) + tr(ΣA⁻¹): the score matching information criterion; smaller is better.

    J is the mean loss, A its curvature and Σ the covariance of the row gradients at θ̂, divisor n,
    all by the free parameters. An almost unbiased estimate of n times the objective on new rows,
    as AIC/2 is for the likelihood.

    Parameters
    ----------
    estimate
        The minimiser over x.
    x
        The rows that it was made from.

    Raises
    ------
    InvalidInput
        The estimate is from another number of rows, or is not the minimum of an objective (a ridge
        was added, or the family has an estimator of its own).
    NotIdentified
        A is singular.

    References
    ----------
    T. Matsuda, M. Uehara & A. Hyvärinen, "Information criteria for non-normalized models",
    JMLR 22 (2021).
    """
    family, domain, bound = estimate.family, estimate.domain, estimate.constraints
    rows = as_rows(x, family.d)
    if len(rows) != estimate.n:
        raise InvalidInput(
            f"SMIC takes the rows of the estimate, {estimate.n} of them: got {len(rows)}. On other "
            "rows use held_out_objective."
        )
    if prescribes(family):
        raise InvalidInput(
            f"{family!r} has an estimator of its own, which is not the minimum of one objective: "
            "SMIC does not hold. Use cross_validation."
        )
    A, value, gradients_of = _second_order(family, domain, rows, estimate)
    factor = factorise(A, bound.free_names)
    total, mean = torch.zeros_like(A), A.new_zeros(len(A))
    for part in few_at_a_time([rows], len(estimate.theta)):
        gradients = bound.pull_back(gradients_of(part))
        total += gradients.mT @ gradients
        mean += gradients.sum(0)
    _check_minimum(mean / len(rows), total / len(rows), len(rows))
    return len(rows) * value + factor.solve(total / len(rows)).trace().item()


def _second_order(
    family: LinearFamily | Family, domain: AnyDomain, rows: Tensor, estimate: Estimate
) -> tuple[Tensor, float, Callable[[Tensor], Tensor]]:
    """A by the free parameters, J(θ̂), and row gradients by θ at θ̂."""
    bound, theta = estimate.constraints, estimate.theta
    if isinstance(family, LinearFamily):
        statistic = statistic_of(family, domain).update(rows)
        form = statistic.finalize()
        A = bound.pull_back_form(form).A
        return A, form(theta).item(), lambda part: statistic.row_gradients(part, theta)
    objective = Objective.of(family, domain, rows)
    A = objective.hessian(bound.restrict(theta), bound.expand)
    value = objective.value(theta).item()
    return A, value, lambda part: row_gradients(family, domain, part, theta)


def _check_minimum(mean: Tensor, second: Tensor, n: int) -> None:
    """Raise InvalidInput unless the mean gradient is small against its own standard error."""
    size = (second.diagonal() / n).sqrt()
    if bool((mean.abs() > 1e-3 * size + 1e-12).any()):
        raise InvalidInput(
            "the estimate is not the minimum of the objective over these rows: a ridge was added, "
            "or these are other rows. Estimate without a ridge, or use held_out_objective."
        )
