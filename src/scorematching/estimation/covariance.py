"""Covariances of estimates: sandwich, cluster-robust, bootstrap.

An estimate that minimises the mean of losses over n independent rows has the covariance
H⁻¹ΣH⁻¹/n, H the curvature of the objective and Σ the covariance of the row gradients gᵢ (Huber
1967; White 1982). Rows are read a second time, in portions, and no n × p matrix is formed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.errors import InvalidInput, NotIdentified
from scorematching.estimation.minimum import Minimum
from scorematching.random import seeded

DRAWS = 64  # resamples counted at a time
CONVENTION = "sandwich A⁻¹ΣA⁻¹/n, Σ the covariance of the row gradients with divisor n − 1"


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """The covariance of the free parameters, and how it came about.

    Parameters
    ----------
    covariance
        ``(k, k)``.
    convention
        The formula and its divisor, for the foot of a table.
    draws
        ``(B, k)`` resampled estimates, or None.
    """

    covariance: Tensor
    convention: str
    draws: Tensor | None = None


class Covariance(Protocol):
    """A way to the covariance of an estimate."""

    def __call__(self, minimum: Minimum, rows: Iterable[Tensor], /) -> Uncertainty:
        """From the minimum and its rows in portions ``(m, d)``, which may be read again."""


@dataclass(frozen=True)
class Sandwich:
    """H⁻¹ΣH⁻¹/n with Σ = Σᵢ gᵢgᵢᵀ/(n − 1): heteroskedasticity and a wrong model are allowed for."""

    def __call__(self, minimum: Minimum, rows: Iterable[Tensor]) -> Uncertainty:
        """The sandwich covariance of independent rows."""
        k = len(minimum.phi)
        total = torch.zeros(k, k, dtype=minimum.phi.dtype, device=minimum.phi.device)
        n = 0
        for part in minimum.row_terms(rows):
            total += part.mT @ part
            n += len(part)
        return Uncertainty(minimum.sandwich(total) / (n * (n - 1)), CONVENTION)


SANDWICH = Sandwich()  # what estimates are given unless another is asked for


@dataclass(frozen=True, eq=False)
class ClusterRobust:
    """The sandwich of rows that depend on each other within clusters (Liang & Zeger 1986).

    H⁻¹ΣH⁻¹/n with Σ = G/(G − 1) · Σ_c (Σ_{i∈c} gᵢ)(Σ_{i∈c} gᵢ)ᵀ/n over G clusters, whose number
    must be large. With every row its own cluster it is `Sandwich`.

    Parameters
    ----------
    clusters
        A label a row, ``(n,)``: numbers, text or anything that NumPy sorts.
    """

    clusters: Sequence[object] | NDArray[np.generic] | Tensor

    def __call__(self, minimum: Minimum, rows: Iterable[Tensor]) -> Uncertainty:
        """The cluster-robust covariance; InvalidInput unless there is one label a row."""
        codes, count = cluster_codes(self.clusters)
        k = len(minimum.phi)
        sums = torch.zeros(count, k, dtype=minimum.phi.dtype, device=minimum.phi.device)
        n = 0
        for part in minimum.row_terms(rows):
            if n + len(part) <= len(codes):
                sums.index_add_(0, codes[n : n + len(part)].to(sums.device), part)
            n += len(part)
        check_labels(codes, n)
        covariance = count / (count - 1) * minimum.sandwich(sums.mT @ sums) / n**2
        return Uncertainty(
            covariance,
            f"cluster-robust sandwich A⁻¹ΣA⁻¹/n, {count} clusters, Σ with the factor G/(G − 1)",
        )


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The covariance of estimates from rows drawn with replacement (Efron 1979).

    Parameters
    ----------
    n_draws
        At least 2; 1,000 for percentile intervals.
    seed
        Of the draws.
    clusters
        A label a row, ``(n,)``: whole clusters are drawn instead of rows. None: rows.

    Raises
    ------
    InvalidInput
        n_draws is no integer of at least 2.
    """

    n_draws: int = 1000
    seed: int = 0
    clusters: Sequence[object] | NDArray[np.generic] | Tensor | None = None

    def __post_init__(self) -> None:
        if isinstance(self.n_draws, bool) or not isinstance(self.n_draws, int) or self.n_draws < 2:
            raise InvalidInput(
                f"n_draws must be an integer of at least 2: got {self.n_draws!r}. A covariance "
                "needs some hundreds, percentile intervals a thousand or more."
            )

    def __call__(self, minimum: Minimum, rows: Iterable[Tensor]) -> Uncertainty:
        """The covariance of resampled estimates; it holds all rows in memory.

        Raises
        ------
        NotIdentified
            A resample does not determine the parameters.
        """
        x = torch.cat(list(rows))
        codes, count = torch.arange(len(x)), len(x)
        if self.clusters is not None:
            codes, count = cluster_codes(self.clusters)
            check_labels(codes, len(x))
        draws = []
        for first in range(0, self.n_draws, DRAWS):
            block = range(first, min(first + DRAWS, self.n_draws))
            counts = torch.stack([self._counts(draw, count)[codes] for draw in block])
            try:
                draws.append(minimum.refit(x, counts.to(x.device)))
            except NotIdentified as error:
                raise NotIdentified(
                    f"among bootstrap draws {block[0]} to {block[-1]}: {error} Or use Sandwich()."
                ) from error
        estimates = torch.cat(draws)
        what = "rows" if self.clusters is None else f"{count} clusters"
        return Uncertainty(
            torch.cov(estimates.mT).reshape(len(minimum.phi), -1),
            f"bootstrap of {what}, {self.n_draws} draws, seed {self.seed}",
            estimates,
        )

    def _counts(self, draw: int, count: int) -> Tensor:
        """How often each of count units is drawn."""
        generator = seeded(self.seed, "bootstrap", draw)
        return torch.bincount(torch.randint(count, (count,), generator=generator), minlength=count)


def cluster_codes(labels: Sequence[object] | NDArray[np.generic] | Tensor) -> tuple[Tensor, int]:
    """Labels as numbers 0 to G − 1, ``(n,)``, and G.

    Raises
    ------
    InvalidInput
        The labels are no ``(n,)``, or all the same.
    """
    array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if array.ndim != 1:
        raise InvalidInput(f"expected one cluster label a row, (n,): got shape {array.shape}.")
    values, codes = np.unique(array, return_inverse=True)
    if len(values) < 2:
        raise InvalidInput(
            f"cluster-robust errors need at least two clusters: got {len(values)}. For independent "
            "rows use Sandwich()."
        )
    return torch.as_tensor(codes.reshape(-1), dtype=torch.int64), len(values)


def check_labels(codes: Tensor, n: int) -> None:
    """Raise InvalidInput unless there is one label a row."""
    if len(codes) != n:
        raise InvalidInput(f"expected one cluster label a row, {n}: got {len(codes)}.")
