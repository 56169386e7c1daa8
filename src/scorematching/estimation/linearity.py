"""A user's log_density(x, θ) as a family, and whether it is linear in θ.

It is when log p = θᵀT(x) + r(x) + ψ(θ), with any ψ: a constant in x does not matter to the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput
from scorematching.families import FamilyDensity, LinearDensity
from scorematching.random import seeded, uniform

ROWS = 64  # on which linearity is tested
POINTS = 3  # of θ, apart from the given one
TOLERANCE = 1e-9

LogDensity = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class UserFamily:
    """log p(x; θ) as a function of x ``(n, d)`` and θ ``(p,)``, up to a constant in x.

    Parameters
    ----------
    function
        Made of torch operations; each row's value ``(n,)`` depends on that row alone.
    domain
        Where the rows live.
    names
        Of θ.
    theta0
        ``(m, p)``, starts.
    bounds
        The open interval of each parameter.
    """

    function: LogDensity
    domain: AnyDomain
    names: tuple[str, ...]
    theta0: Tensor
    bounds: tuple[tuple[float, float], ...]

    @property
    def d(self) -> int:
        """Columns of a row."""
        return self.domain.d

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"log-density {name}(x, theta)"

    def log_density(self, x: Tensor, theta: Tensor) -> Tensor:
        """log p(x; θ) + const, ``(n,)``."""
        value = self.function(x, theta)
        if not isinstance(value, Tensor) or value.shape != x.shape[:1]:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InvalidInput(
                f"log_density(x, theta) must return one number per row, a tensor of shape "
                f"({len(x)},): got {got}. Sum over the columns, not over the rows."
            )
        return value

    def starts(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """theta0."""
        return self.theta0

    def model(self, theta: Tensor) -> FamilyDensity:
        """The density at θ, up to a constant."""
        return FamilyDensity(self, theta)


@dataclass(frozen=True, eq=False)
class UserLinearFamily:
    """A user's log-density that is linear in θ: T from steps in θ, r what is left."""

    of: UserFamily

    @property
    def d(self) -> int:
        """Columns of a row."""
        return self.of.d

    @property
    def names(self) -> tuple[str, ...]:
        """Of θ."""
        return self.of.names

    @property
    def domain(self) -> AnyDomain:
        """Where the rows live."""
        return self.of.domain

    def __repr__(self) -> str:
        return repr(self.of)

    def statistics(self, x: Tensor) -> Tensor:
        """T(x), ``(n, p)``: differences of log p over one step in each parameter, exact here."""
        return theta_slopes(self.of, x, self.of.theta0[0])

    def base(self, x: Tensor) -> Tensor:
        """r(x) = log p(x; θ) − θᵀT(x), ``(n,)``."""
        theta = self.of.theta0[0]
        return self.of.log_density(x, theta) - self.statistics(x) @ theta

    def model(self, theta: Tensor) -> LinearDensity:
        """The density at θ, up to a constant."""
        return LinearDensity(self, theta)


def step_of(theta: Tensor) -> Tensor:
    """A step in each parameter: its own size, or one where it is zero."""
    return torch.where(theta == 0, torch.ones_like(theta), theta.abs())


def theta_slopes(family: UserFamily, x: Tensor, theta: Tensor) -> Tensor:
    """(log p(x; θ + hₖeₖ) − log p(x; θ))/hₖ, ``(n, p)``."""
    here = family.log_density(x, theta)
    steps = step_of(theta).diag()
    there = [(family.log_density(x, theta + h) - here) / h.sum() for h in steps]
    return torch.stack(there, 1)


def is_linear(family: UserFamily, x: Tensor, *others: Tensor) -> bool:
    """Whether log p changes with θ by θᵀT(x) and a constant, T from one step in each parameter.

    Tested on up to 64 of the rows x, spread over them, at three points within half of theta0's
    size of it (one unit where it is zero) and at the ``others`` given.
    """
    rows = x[torch.linspace(0, len(x) - 1, min(ROWS, len(x)), device=x.device).round().long()]
    theta = family.theta0[0]
    draws = uniform((POINTS, len(theta)), theta, seeded("linearity"))
    points = theta + step_of(theta) / 2 * (2 * draws - 1)
    here = family.log_density(rows, theta)
    slopes = theta_slopes(family, rows, theta)
    for point in (*points, *others):
        change = family.log_density(rows, point) - here
        predicted = slopes @ (point - theta)
        # Rounding is that of the values subtracted.
        size = (here.abs() + change.abs() + slopes.abs() @ (point - theta).abs()).max()
        rest = change - predicted
        if not bool((rest - rest.mean()).abs().max() <= TOLERANCE * size):
            return False
    return True


def user_family(
    function: LogDensity,
    domain: AnyDomain | None,
    theta0: object,
    names: Sequence[str] | None = None,
    bounds: Sequence[tuple[float, float]] | None = None,
) -> UserFamily:
    """A user's log-density with all that an estimate needs.

    Raises
    ------
    InvalidInput
        The domain or theta0 is missing, or lengths do not match.
    """
    if domain is None:
        raise InvalidInput(
            "a log-density of one's own needs the domain of the rows: "
            "sm.estimate(log_density, x, domain=sm.domains.Euclidean(d), theta0=…)."
        )
    if theta0 is None:
        raise InvalidInput(
            "a log-density of one's own needs theta0, a start, which also says how many parameters "
            "there are: sm.estimate(log_density, x, domain=…, theta0=[0.0, 1.0])."
        )
    starts = torch.as_tensor(theta0, dtype=torch.float64)
    starts = starts[None] if starts.ndim == 1 else starts
    if starts.ndim != 2 or 0 in starts.shape or not bool(starts.isfinite().all()):
        raise InvalidInput(
            f"theta0 must be finite, one start (p,) or several (m, p): got {theta0!r}."
        )
    p = starts.shape[1]
    called = tuple(names) if names is not None else tuple(f"theta[{k + 1}]" for k in range(p))
    limits = tuple(bounds) if bounds is not None else ((-math.inf, math.inf),) * p
    if len(called) != p or len(set(called)) != p:
        raise InvalidInput(f"expected {p} different names, one a parameter: got {called!r}.")
    if len(limits) != p:
        raise InvalidInput(f"expected {p} bounds, (low, high) a parameter: got {len(limits)}.")
    return UserFamily(function, domain, called, starts, limits)
