"""The matching objective of a density that is not linear in θ, with its derivatives in θ.

J(θ) is the mean over rows of Σⱼ ½ (∂_{lⱼ}L)² + ∂²_{lⱼ}L + ∂_m L, L = log p(·; θ) in the coordinates
of the domain (`matching`). Derivatives by x are carried forward, those by θ taken backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.domains import AnyDomain, Chart, coordinates, working_rows
from scorematching.estimation.matching import Frame, along, frame_of
from scorematching.families import Family, WritesLoss

CELLS = 2**21  # numbers held at a time by the frame of a portion of rows


@dataclass(frozen=True, eq=False)
class Portion:
    """Rows z ``(m, k)`` in the coordinates of a domain, their frame, and how often each counts."""

    domain: AnyDomain
    z: Tensor
    frame: Frame
    chart: Chart
    counts: Tensor


@dataclass(frozen=True, eq=False)
class Objective:
    """J(θ) of a family on rows.

    Parameters
    ----------
    family
        Gives log p(x; θ).
    portions
        The rows.
    n
        Their number, counted as often as each counts.
    """

    family: Family
    portions: tuple[Portion, ...]
    n: float

    @classmethod
    def of(
        cls, family: Family, domain: AnyDomain, x: Tensor, counts: Tensor | None = None
    ) -> Objective:
        """Of rows x ``(n, d)``, each taken as often as counts ``(n,)`` says, once by default."""
        counts = x.new_ones(len(x)) if counts is None else counts.to(x)
        portions = tuple(portions_of(domain, x, counts))
        return cls(family, portions, counts.sum().item())

    def value(self, theta: Tensor) -> Tensor:
        """J(θ), ``()``, differentiable in θ."""
        total = theta.new_zeros(())
        for part in self.portions:
            total = total + part.counts @ losses(self.family, part, theta)
        return total / self.n

    def row_losses(self, theta: Tensor) -> Tensor:
        """The loss of each row at θ, ``(m,)``, each once."""
        with torch.no_grad():
            return torch.cat([losses(self.family, part, theta) for part in self.portions])

    def value_and_gradient(
        self, u: Tensor, parameters: Callable[[Tensor], Tensor]
    ) -> tuple[float, Tensor]:
        """J(θ(u)) and its gradient by u ``(k,)``, one portion of rows at a time."""
        value, gradient = 0.0, torch.zeros_like(u)
        for part in self.portions:
            leaf = u.detach().requires_grad_()
            loss = part.counts @ losses(self.family, part, parameters(leaf))
            gradient += torch.autograd.grad(loss, leaf, materialize_grads=True)[0]
            value += loss.item()
        return value / self.n, gradient / self.n

    def hessian(self, u: Tensor, parameters: Callable[[Tensor], Tensor]) -> Tensor:
        """∂²J(θ(u))/∂u∂uᵀ, ``(k, k)``, one backward pass a parameter."""
        total = u.new_zeros(len(u), len(u))
        for part in self.portions:
            leaf = u.detach().requires_grad_()
            loss = part.counts @ losses(self.family, part, parameters(leaf))
            (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True, materialize_grads=True)
            for k in range(len(u) if gradient.requires_grad else 0):
                (row,) = torch.autograd.grad(
                    gradient[k], leaf, retain_graph=True, materialize_grads=True
                )
                total[k] += row
        return (total + total.mT) / (2 * self.n)


def losses(family: Family, part: Portion, theta: Tensor) -> Tensor:
    """The loss of each row, ``(m,)``; the family's own where it writes one for the domain."""
    if isinstance(family, WritesLoss):
        own = family.loss(part.z, theta, part.domain)
        if own is not None:
            return own

    def log_density(z: Tensor) -> Tensor:
        value = family.log_density(part.chart.inverse(z), theta)
        return (value + part.chart.log_abs_det(z))[:, None]

    slopes, generated = along(log_density, part.z, part.frame)
    return (slopes.dot(slopes) / 2 + generated)[:, 0]


def row_gradients(family: Family, domain: AnyDomain, x: Tensor, theta: Tensor) -> Tensor:
    """∂/∂θ of the loss of each row, ``(m, p)``.

    The gradient of Σᵢ wᵢ lossᵢ is linear in w, and the derivative of its k-th entry by w is the
    k-th column: one backward pass a parameter.
    """
    parts = []
    for part in portions_of(domain, x, x.new_ones(len(x))):
        leaf = theta.detach().requires_grad_()
        w = part.counts.detach().requires_grad_()
        (total,) = torch.autograd.grad(
            w @ losses(family, part, leaf), leaf, create_graph=True, materialize_grads=True
        )
        columns = [
            torch.autograd.grad(each, w, retain_graph=True, materialize_grads=True)[0]
            if each.requires_grad
            else torch.zeros_like(w)
            for each in total
        ]
        parts.append(torch.stack(columns, 1).detach())
    return torch.cat(parts)


def portions_of(domain: AnyDomain, x: Tensor, counts: Tensor) -> Iterator[Portion]:
    """Rows a few at a time, with the frame of the domain at each."""
    inner, chart = coordinates(domain)
    rows = max(1, CELLS // inner.d**2)
    for part, often in zip(torch.split(x, rows), torch.split(counts, rows), strict=True):
        z = working_rows(domain, part)
        yield Portion(domain, z, frame_of(inner, z), chart, often)
