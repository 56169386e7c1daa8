"""What a family of densities is: the two protocols that nothing has to subclass.

A family is constructed by its dimension, names its parameters (counted from 1), knows where its
rows live, and turns a parameter into a fitted density. Its normalising constant is never needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from scorematching.domains import AnyDomain
from scorematching.errors import InvalidInput


class FittedDensity(Protocol):
    """The density of a family at one θ. x is ``(n, d)``; of one column also ``(n,)``."""

    @property
    def normalised(self) -> bool:
        """Whether `log_density` integrates to one, or is known up to a constant only."""

    def log_density(self, x: Tensor, /) -> Tensor:
        """log p(x) in nats, ``(n,)``."""

    def score(self, x: Tensor, /) -> Tensor:
        """∇ₓ log p(x) in the columns of x, like x; a manifold's domain projects it."""


@runtime_checkable
class LinearFamily(Protocol):
    """log p(x; θ) = θᵀT(x) + r(x) − log Z(θ): estimated in closed form."""

    @property
    def d(self) -> int:
        """Number of columns of a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of θ in its order, ``(p,)``."""

    @property
    def domain(self) -> AnyDomain:
        """Where the rows naturally live, with a weight that suits the family."""

    def statistics(self, x: Tensor, /) -> Tensor:
        """T(x): ``(n, d)`` → ``(n, p)``, twice differentiable in forward mode."""

    def base(self, x: Tensor, /) -> Tensor:
        """r(x): ``(n, d)`` → ``(n,)``."""

    def model(self, theta: Tensor, /) -> FittedDensity:
        """The density at θ ``(p,)``; InvalidInput outside the parameter space, with the remedy."""


@runtime_checkable
class Family(Protocol):
    """log p(x; θ) up to a constant, of any smooth form in θ: estimated by minimisation."""

    @property
    def d(self) -> int:
        """Number of columns of a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of θ in its order, ``(p,)``."""

    @property
    def domain(self) -> AnyDomain:
        """Where the rows naturally live, with a weight that suits the family."""

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """The open interval of each parameter; (−∞, ∞) where it is free."""

    def log_density(self, x: Tensor, theta: Tensor, /) -> Tensor:
        """log p(x; θ) up to a constant, ``(n, d)``, ``(p,)`` → ``(n,)``, for θ in the bounds."""

    def starts(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Points to start the minimisation from, ``(m, p)``."""

    def model(self, theta: Tensor, /) -> FittedDensity:
        """The density at θ ``(p,)``; InvalidInput outside the parameter space, with the remedy."""


@dataclass(frozen=True, eq=False)
class PrescribedFit:
    """What a family's own estimator found.

    Parameters
    ----------
    theta
        ``(p,)``.
    influence
        ``(n, p)``, what each row contributes: θ̂ − θ ≈ the mean over rows, so that the sandwich
        covariance is that of the rows divided by n.
    note
        What was done, in a sentence for the summary.
    """

    theta: Tensor
    influence: Tensor
    note: str


@runtime_checkable
class PrescribesFit(Protocol):
    """A family whose estimator may not be the joint minimum of one objective."""

    @property
    def prescribes(self) -> bool:
        """Whether it is not: estimates are then made by `fit`."""

    def fit(self, x: Tensor, /) -> PrescribedFit:
        """The estimate from all rows ``(n, d)``, on the family's own domain."""


@runtime_checkable
class WritesLoss(Protocol):
    """A family whose matching loss has a shorter way than automatic differentiation in x."""

    def loss(self, z: Tensor, theta: Tensor, domain: AnyDomain, /) -> Tensor | None:
        """½ s·v + div v of rows z in the coordinates of a domain, ``(n,)``; None elsewhere."""


@runtime_checkable
class ModelsDomains(Protocol):
    """A family that knows its density also where it is restricted to another domain."""

    def model_on(self, theta: Tensor, domain: AnyDomain, /) -> FittedDensity:
        """The density at θ on a domain."""


@runtime_checkable
class ChoosesDomain(Protocol):
    """A family whose natural domain is chosen from the rows: whitened coordinates, say."""

    def domain_for(self, x: Tensor, /) -> AnyDomain:
        """Where rows ``(n, d)`` are matched unless a domain is given."""


def prescribes(family: LinearFamily | Family) -> bool:
    """Whether a family is estimated by a `fit` of its own."""
    return isinstance(family, PrescribesFit) and family.prescribes


def check_theta(theta: Tensor, names: tuple[str, ...]) -> Tensor:
    """θ ``(p,)`` as a finite float64 tensor.

    Raises
    ------
    InvalidInput
        The number of parameters is another, or one is not finite.
    """
    value = torch.as_tensor(theta, dtype=torch.float64).detach()
    if value.shape != (len(names),):
        raise InvalidInput(
            f"theta must have one entry for each of {len(names)} parameters "
            f"({', '.join(names[:6])}{', …' if len(names) > 6 else ''}): "
            f"got shape {tuple(value.shape)}."
        )
    for name, entry in zip(names, value.tolist(), strict=True):
        if not abs(entry) < float("inf"):
            raise InvalidInput(f"theta must be finite: got {name} = {entry}.")
    return value


def check_dimension(d: int, smallest: int, family: str) -> None:
    """Raise InvalidInput if d is no integer of at least ``smallest``."""
    if not isinstance(d, int) or isinstance(d, bool) or d < smallest:
        raise InvalidInput(
            f"{family} needs the number of columns of a row, an integer of at least {smallest}: "
            f"got {d!r}."
        )


def columns(x: Tensor, d: int) -> Tensor:
    """x as rows ``(n, d)``; ``(n,)`` is taken as one column where d is 1.

    Raises
    ------
    InvalidInput
        x has another number of columns.
    """
    if d == 1 and x.ndim == 1:
        return x[:, None]
    if x.ndim != 2 or x.shape[1] != d:
        raise InvalidInput(f"expected rows of shape (n, {d}): got {tuple(x.shape)}.")
    return x
