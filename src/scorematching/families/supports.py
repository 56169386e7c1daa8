"""The set that a domain is, whatever its weight and the coordinates it is matched in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import (
    AdditiveLogRatio,
    AnyDomain,
    Ball,
    Box,
    Circle,
    Euclidean,
    Field,
    FlatSimplex,
    Halfspaces,
    InCoordinates,
    Log,
    Logit,
    LogRatioSimplex,
    PositiveOrthant,
    PositiveSphere,
    Sphere,
    SqrtSimplex,
    SquareRoot,
    tangent_divergence,
)
from scorematching.errors import InvalidInput
from scorematching.families.whitening import LinearMap


@dataclass(frozen=True)
class LineAbout:
    """ℝ with weight |x − m|: a density may have a corner or a cusp at m.

    What score matching leaves at m when it integrates by parts on either side is p w s, which
    vanishes there with w.
    """

    location: float = 0.0

    @property
    def d(self) -> int:
        """One column."""
        return 1

    def check(self, x: Tensor) -> None:
        """Raise InvalidInput unless x is ``(n, 1)`` and finite."""
        Euclidean(1).check(x)

    def weight(self, x: Tensor) -> Tensor:
        """|x − m|, ``(n, 1)``."""
        return (x - self.location).abs()

    def project(self, x: Tensor, v: Tensor) -> Tensor:
        """v itself."""
        return v

    def divergence(self, field: Field, x: Tensor) -> Tensor:
        """∂v, ``(n,)`` or ``(n, m)``."""
        return tangent_divergence(self.project, field, x)


def support(domain: AnyDomain) -> AnyDomain:
    """The plainest domain that is the same set, with its own default weight.

    Two domains are the same set if their supports are equal; one that is not known here, such as a
    user's own, is its own support.
    """
    if isinstance(domain, InCoordinates):
        return _of_chart(domain)
    if isinstance(domain, LineAbout):
        return Euclidean(1)
    if isinstance(domain, PositiveOrthant):
        return PositiveOrthant(domain.d)
    if isinstance(domain, FlatSimplex | SqrtSimplex | LogRatioSimplex):
        return FlatSimplex(domain.d)
    if isinstance(domain, PositiveSphere):
        return PositiveSphere(domain.d)
    if isinstance(domain, Box):
        if set(domain.low) == {0.0} and set(domain.high) == {math.inf}:
            return PositiveOrthant(domain.d)
        if set(domain.low) == {-math.inf} and set(domain.high) == {math.inf}:
            return Euclidean(domain.d)
        return Box(domain.low, domain.high)
    return domain


def _of_chart(domain: InCoordinates) -> AnyDomain:
    inner, chart = domain.inner, domain.chart
    if isinstance(inner, Euclidean):
        if isinstance(chart, LinearMap):
            return inner
        if isinstance(chart, Log):
            return PositiveOrthant(inner.d)
        if isinstance(chart, Logit):
            return support(Box((chart.low,) * inner.d, (chart.high,) * inner.d))
        if isinstance(chart, AdditiveLogRatio):
            return FlatSimplex(inner.d + 1)
    if isinstance(inner, PositiveSphere) and isinstance(chart, SquareRoot):
        return FlatSimplex(inner.d)
    return domain


def is_bounded(domain: AnyDomain) -> bool:
    """Whether the set is known to be bounded, so that every continuous density has an integral."""
    known = support(domain)
    if isinstance(known, Box):
        return all(math.isfinite(side) for side in (*known.low, *known.high))
    return isinstance(known, Ball | FlatSimplex | Sphere | PositiveSphere | Circle)


def interval_of(domain: AnyDomain) -> tuple[float, float]:
    """(low, high) of a domain of one column.

    Raises
    ------
    InvalidInput
        The domain is no interval.
    """
    known = support(domain)
    if known.d == 1 and isinstance(known, Euclidean):
        return -math.inf, math.inf
    if known.d == 1 and isinstance(known, PositiveOrthant):
        return 0.0, math.inf
    if known.d == 1 and isinstance(known, Box):
        return known.low[0], known.high[0]
    raise InvalidInput(
        f"expected an interval: got {domain!r}. Use Euclidean(1), PositiveOrthant(1) or "
        "Box(low, high) with one column."
    )


def contains(domain: AnyDomain, x: Tensor) -> Tensor:
    """Which rows of x ``(n, d)`` the domain's own check lets pass, ``(n,)``."""
    known = support(domain)
    if isinstance(known, Euclidean):
        return x.isfinite().all(1)
    if isinstance(known, PositiveOrthant):
        return (x.isfinite() & (x >= 0)).all(1)
    if isinstance(known, Box):
        return (
            x.isfinite() & (x >= x.new_tensor(known.low)) & (x <= x.new_tensor(known.high))
        ).all(1)
    if isinstance(known, Ball):
        from_centre: Tensor = torch.linalg.vector_norm(x - x.new_tensor(known.centre), dim=1)
        return from_centre <= known.radius
    if isinstance(known, Halfspaces):
        return (known.slack(x) >= 0).all(1)
    return _checked(domain, x)


def _checked(domain: AnyDomain, x: Tensor) -> Tensor:
    """As `contains`, halving the rows until a part passes or is one row."""
    try:
        if len(x):
            domain.check(x)
        return torch.ones(len(x), dtype=torch.bool, device=x.device)
    except ValueError:
        if len(x) == 1:
            return torch.zeros(1, dtype=torch.bool, device=x.device)
        half = len(x) // 2
        return torch.cat([_checked(domain, x[:half]), _checked(domain, x[half:])])


def zero_outside(log_density: Tensor, inside: Tensor) -> Tensor:
    """The log-density ``(n,)``, −∞ where a row is not inside."""
    return torch.where(inside, log_density, -math.inf)


def is_interval(domain: AnyDomain) -> bool:
    """Whether `interval_of` knows the domain as an interval."""
    return domain.d == 1 and isinstance(support(domain), Euclidean | PositiveOrthant | Box)
