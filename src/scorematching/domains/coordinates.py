"""Domains whose density is matched in other coordinates: z = forward(x), z in an inner domain.

If x has density p with respect to the volume of its own domain, z has the density

    log p_z(z) = log p(x(z)) + log |det ∂x/∂z|,

the second term being the logarithm of the volume factor, and the loss is that of p_z in the inner
domain. Score matching is not invariant under a change of coordinates: each gives an estimator of
its own, and all are consistent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from scorematching.domains.domain import Domain
from scorematching.errors import InvalidInput


class Chart(Protocol):
    """Coordinates z ``(n, k)`` for rows x ``(n, d)``."""

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a row of x has no coordinates."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """z(x), ``(n, k)``."""
        ...

    def inverse(self, z: Tensor) -> Tensor:
        """x(z), ``(n, d)``."""
        ...

    def log_abs_det(self, z: Tensor) -> Tensor:
        """log |det ∂x/∂z|, ``(n,)``, up to a constant: what is added to log p."""
        ...


@runtime_checkable
class Charted(Protocol):
    """A domain that is matched in coordinates: the chart, and the domain of z."""

    @property
    def d(self) -> int:
        """Columns of x."""
        ...

    @property
    def inner(self) -> Domain:
        """The domain of z."""
        ...

    @property
    def chart(self) -> Chart:
        """The coordinates."""
        ...

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a row of x is not in the domain."""
        ...


AnyDomain = Domain | Charted


@dataclass(frozen=True)
class Unchanged:
    """The coordinates of a domain that has no others: z = x."""

    def check(self, x: Tensor) -> None:
        """Every row has coordinates."""

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """z itself."""
        return z

    def log_abs_det(self, z: Tensor) -> Tensor:
        """0, ``(n,)``."""
        return z.new_zeros(z.shape[0])


@dataclass(frozen=True)
class InCoordinates:
    """A domain of x that is matched as an inner domain of z = chart.forward(x).

    ``InCoordinates(Euclidean(d), Log())`` matches positive data as their logarithms.

    Parameters
    ----------
    inner
        The domain of z.
    chart
        The coordinates; any object with the members of `Chart`.
    """

    inner: Domain
    chart: Chart

    @property
    def d(self) -> int:
        """Columns of x, asked of the chart."""
        origin = torch.zeros(1, self.inner.d, dtype=torch.float64)
        return self.chart.inverse(origin).shape[1]

    def check(self, x: Tensor) -> None:
        """Raise `InvalidInput` where a row has no coordinates, or the inner domain refuses them."""
        self.chart.check(x)
        self.inner.check(self.chart.forward(x))


def coordinates(domain: AnyDomain) -> tuple[Domain, Chart]:
    """The domain that the loss is taken in, and the chart that leads there."""
    if isinstance(domain, Charted):
        return domain.inner, domain.chart
    return domain, Unchanged()


@runtime_checkable
class Approached(Protocol):
    """A domain on whose boundary the loss is a limit, taken from a little way inside."""

    def approach(self, x: Tensor) -> Tensor:
        """x, with rows on the boundary moved inwards."""
        ...


def working_rows(domain: AnyDomain, x: Tensor) -> Tensor:
    """The rows z ``(n, k)`` at which the loss is evaluated, in the inner domain.

    Rows of compositions with zeros are moved inwards by 1e-10, where the loss has a limit there.
    """
    rows = domain.approach(x) if isinstance(domain, Approached) else x
    return coordinates(domain)[1].forward(rows)


def check_interior(domain: AnyDomain, x: Tensor) -> None:
    """Raise `InvalidInput` where all rows lie on a boundary, so that their weight is zero.

    The objective is then the same for every parameter. With one weight per coordinate this is
    asked of each coordinate.
    """
    inner, chart = coordinates(domain)
    weight = inner.weight(chart.forward(x))
    dead = weight == 0
    if weight.ndim == 1 and bool(dead.all()):
        raise InvalidInput(
            f"every row lies on the boundary of {domain!r}, or so near that its weight is zero: "
            "nothing can be estimated. Use a domain without that boundary, or with another weight."
        )
    if weight.ndim == 2 and bool(dead.all(0).any()):
        column = int(dead.all(0).nonzero()[0])
        raise InvalidInput(
            f"column {column} lies on the boundary of {domain!r} in every row, where its weight is "
            "zero: nothing can be estimated of it. Drop the column, or use another domain."
        )
