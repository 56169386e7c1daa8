"""The Fisher divergence D_F(p‖q) = E_p ½‖∇log p − ∇log q‖², with the ½."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.shapes import check_like, check_rows, sum_event
from scorematching.typing import Score


@dataclass(frozen=True, eq=False)
class FisherDivergence:
    """A mean over rows of p.

    Attributes
    ----------
    value
        The estimate of D_F(p‖q), in units of 1/x².
    standard_error
        The standard deviation of the rows (divisor n − 1) over √n.
    per_row
        ½‖∇log p − ∇log q‖² at each row, ``(n,)`` in float64, for paired comparisons.
    """

    value: float
    standard_error: float
    per_row: Tensor


def fisher_divergence(score_p: Score, score_q: Score, x: Tensor) -> FisherDivergence:
    """E_p ½‖∇log p − ∇log q‖², the mean over rows x ~ p. No graph is kept.

    It is zero only where the scores agree on the support of p, and blind to normalising constants;
    it is also blind to the proportions of modes that no mass joins. To minimise it use
    ``sm.esm(score_q, x, score_p)``, which is its integrand and differentiable; where ∇log p is
    unknown ``sm.ism`` and ``sm.dsm`` are, up to a constant.

    Parameters
    ----------
    score_p, score_q
        ∇ₓ log p and ∇ₓ log q: x ``(n, *event)`` → like x.
    x
        Independent rows of p, ``(n, *event)``, two or more.

    Raises
    ------
    InvalidInput
        x is no floating batch of two rows or more, or a score returns another shape.

    References
    ----------
    A. Hyvärinen, "Estimation of non-normalized statistical models by score matching", JMLR 6
    (2005), equation 2; S. Lyu, "Interpretation and generalization of score matching", UAI 2009.
    """
    check_several(x)
    with torch.no_grad():
        rows = half_squared_gap(score_p, score_q, x)
    value, error = mean_and_error(rows)
    return FisherDivergence(value.item(), error.item(), rows)


def half_squared_gap(score_p: Score, score_q: Score, x: Tensor) -> Tensor:
    """½‖∇log p − ∇log q‖² at each row of x ``(n, *event)``: ``(n,)``, in float64."""
    p = check_like(score_p(x), x, "score_p").double()
    q = check_like(score_q(x), x, "score_q").double()
    return sum_event((p - q) ** 2) / 2


def mean_and_error(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over the last axis and its standard error, divisor n − 1: ``(…, n)`` → ``(…)``."""
    return rows.mean(-1), rows.std(-1) / math.sqrt(rows.shape[-1])


def check_several(x: Tensor) -> Tensor:
    """x itself, if it is a floating batch of at least two rows, as a standard error needs.

    Raises
    ------
    InvalidInput
        It is not.
    """
    if len(check_rows(x)) < 2:
        raise InvalidInput(
            f"a standard error needs at least two rows of p: got x of shape {tuple(x.shape)}."
        )
    return x
