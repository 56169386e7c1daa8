"""Comparing models without their constants: Hyvärinen score, held-out objective, cross-validation.

The matching objective estimates the weighted Fisher divergence from the data's density up to a
constant of the data and the domain, so that smaller is better between models of the same rows on
the same domain with the same weight, and between those alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scorematching.domains import Domain, Euclidean
from scorematching.errors import InvalidInput
from scorematching.estimation.covariance import check_labels, cluster_codes
from scorematching.estimation.matching import matching_loss
from scorematching.estimation.objective import losses, portions_of
from scorematching.estimation.portions import as_portions
from scorematching.estimation.result import Estimate
from scorematching.estimation.rows import as_rows
from scorematching.estimation.solving import statistic_of
from scorematching.families import FittedDensity, LinearFamily
from scorematching.random import seeded
from scorematching.typing import Score


def hyvarinen_score(
    model: FittedDensity | Score, x: Tensor, domain: Domain | None = None
) -> Tensor:
    """Δ log p(x) + ½ ‖∇ log p(x)‖², per row: a proper scoring rule that needs no constant.

    On a domain its generalisation ½ s·v + div v, v = P(w · P s), s = ∇ log p. Smaller is better.
    Others print it twice as large, 2Δ log p + ‖∇ log p‖².

    Parameters
    ----------
    model
        A density with ``score``, or a score itself, ``(n, d)`` → ``(n, d)``.
    x
        Rows ``(n, d)``.
    domain
        Euclidean space by default; one that is matched in the coordinates of x itself.

    Returns
    -------
    Tensor
        ``(n,)``.

    Raises
    ------
    InvalidInput
        A row lies outside the domain.

    References
    ----------
    A. Hyvärinen, JMLR 6 (2005); M. Parry, A. P. Dawid & S. Lauritzen, Ann. Statist. 40 (2012).
    """
    density: Any = model
    score: Score = density.score if hasattr(density, "score") else density
    return matching_loss(score, x, Euclidean(x.shape[1]) if domain is None else domain)


def row_objectives(estimate: Estimate, x: Any) -> Tensor:
    """The loss ½ s·v + div v of each row under an estimate, on its domain, ``(n,)``.

    The Hyvärinen score in the coordinates that the domain is matched in.

    Raises
    ------
    InvalidInput
        As `sm.estimate` for rows.
    """
    family, domain = estimate.family, estimate.domain
    rows = as_rows(x, family.d, at_least=1)
    domain.check(rows)
    smooth = _LogDensity(family) if isinstance(family, LinearFamily) else family
    theta = estimate.theta.to(rows.device)
    with torch.no_grad():
        parts = [
            losses(smooth, part, theta)  # type: ignore[arg-type]  # log_density is all it needs
            for part in portions_of(domain, rows, rows.new_ones(len(rows)))
        ]
    return torch.cat(parts)


def held_out_objective(estimate: Estimate, x: Any) -> float:
    """The mean loss of an estimate over rows that it has not seen; smaller is better.

    Parameters
    ----------
    estimate
        Gives θ̂ and the domain.
    x
        Rows: anything that `sm.estimate` takes. A family linear in θ sums over portions.

    Raises
    ------
    InvalidInput
        As `sm.estimate` for rows, or there are none.
    """
    if isinstance(estimate.family, LinearFamily):
        statistic = statistic_of(estimate.family, estimate.domain)
        for part in as_portions(x, estimate.family.d):
            statistic = statistic.update(part)
        return statistic.finalize()(estimate.theta).item()
    return (
        torch.cat([row_objectives(estimate, part) for part in as_portions(x, estimate.family.d)])
        .mean()
        .item()
    )


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What K-fold cross-validation found.

    Parameters
    ----------
    losses
        ``(n,)``, the loss of each row under the estimate made without its fold.
    folds
        ``(n,)``, the fold of each row, 0 to K − 1.
    estimates
        The K estimates, without standard errors.
    """

    losses: Tensor
    folds: Tensor
    estimates: tuple[Estimate, ...]

    @property
    def objective(self) -> float:
        """The mean held-out loss over all rows; smaller is better."""
        return self.losses.mean().item()

    @property
    def std_error(self) -> float:
        """Standard deviation (n − 1) of the losses over √n: folds share rows, so it is a guide."""
        return self.losses.std().item() / math.sqrt(len(self.losses))

    @property
    def fold_objectives(self) -> Tensor:
        """The mean held-out loss of each fold, ``(K,)``."""
        return torch.stack([self.losses[self.folds == k].mean() for k in range(self.n_folds)])

    @property
    def n_folds(self) -> int:
        """K."""
        return len(self.estimates)


def cross_validation(
    estimator: Callable[[Tensor], Estimate],
    x: Any,
    *,
    n_folds: int = 5,
    seed: int = 0,
    clusters: Any = None,
) -> CrossValidation:
    """K-fold cross-validation of the matching objective.

    Compare models by the same seed, so that they get the same folds.

    Parameters
    ----------
    estimator
        Rows ``(m, d)`` → `Estimate`: ``lambda rows: sm.estimate(family, rows, covariance=None)``.
    x
        Rows ``(n, d)``: tensor, array or frame.
    n_folds
        K, at least 2; folds differ by one row (one cluster) at most.
    seed
        Of the order in which rows are dealt out.
    clusters
        A label a row: rows of a cluster stay together, where they depend on each other.

    Raises
    ------
    InvalidInput
        There are fewer rows or clusters than folds; or as the estimator.
    """
    d = x.shape[1] if getattr(x, "ndim", 1) == 2 else 1
    rows = as_rows(x, d)
    codes, count = torch.arange(len(rows)), len(rows)
    if clusters is not None:
        codes, count = cluster_codes(clusters)
        check_labels(codes, len(rows))
    if isinstance(n_folds, bool) or not isinstance(n_folds, int) or not 2 <= n_folds <= count:
        raise InvalidInput(
            f"n_folds must be an integer from 2 to the number of rows or clusters, {count}: got "
            f"{n_folds!r}."
        )
    dealt = torch.empty(count, dtype=torch.int64)
    order = torch.randperm(count, generator=seeded(seed, "folds"))
    dealt[order] = torch.arange(count) % n_folds
    folds = dealt[codes]
    found = rows.new_empty(len(rows))
    estimates = []
    for k in range(n_folds):
        out = folds == k
        estimates.append(estimator(rows[~out]))
        found[out] = row_objectives(estimates[-1], rows[out])
    return CrossValidation(found, folds, tuple(estimates))


@dataclass(frozen=True)
class _LogDensity:
    """θᵀT(x) + r(x) as the log-density of a family."""

    family: LinearFamily

    def log_density(self, x: Tensor, theta: Tensor) -> Tensor:
        return self.family.statistics(x) @ theta + self.family.base(x)
