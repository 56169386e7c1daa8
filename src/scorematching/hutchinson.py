"""Randomised traces: tr A = E[vᵀ A v] whenever E[v vᵀ] = I.

M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian
smoothing splines", Communications in Statistics 19 (1990).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from scorematching.calculus import differentiable, quadratic_form
from scorematching.errors import InvalidInput
from scorematching.random import fresh, normal, uniform
from scorematching.shapes import check_like, check_rows, event_size, per_row, sum_event
from scorematching.typing import Score


class Probes(Protocol):
    """A law of random directions v with E[v vᵀ] = I: draws one like x for every row."""

    def __call__(self, x: Tensor, generator: torch.Generator | None, /) -> Tensor: ...


@dataclass(frozen=True)
class Rademacher:
    """v with independent signs ±1: the least variance of all laws with independent entries."""

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.where(uniform(tuple(x.shape), x, generator) < 0.5, -1.0, 1.0).to(x.dtype)


@dataclass(frozen=True)
class GaussianProbes:
    """v ~ N(0, I)."""

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return normal(tuple(x.shape), x, generator)


@dataclass(frozen=True)
class SphereProbes:
    """v uniform on the sphere of radius √d, so that E[v vᵀ] = I (a unit v would divide by d)."""

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        v = normal(tuple(x.shape), x, generator)
        return v * per_row(math.sqrt(event_size(x)) / sum_event(v * v).sqrt(), v)


@dataclass(frozen=True)
class Hutchinson:
    """The randomised trace of ∂s/∂x, the mean over probes of vᵀ (∂s/∂x) v.

    Calling it gives the score and the trace, ``((n, *event), (n,))``, from one forward and
    n_probes backward passes. `with_standard_error` adds the Monte Carlo standard error.

    Parameters
    ----------
    n_probes
        Probes a row; the variance falls as 1/n_probes.
    probes
        The law of v, with E[v vᵀ] = I.
    generator
        The source of randomness; without one, fresh entropy at every call.

    Raises
    ------
    InvalidInput
        n_probes is not a positive integer.
    """

    n_probes: int = 1
    probes: Probes = field(default_factory=Rademacher)
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        check_count(self.n_probes, "n_probes")

    def __call__(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        value, forms = self.quadratic_forms(score, x)
        return value, forms.mean(0)

    def with_standard_error(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The score, the trace and the standard error of the trace over probes, each row's own.

        Raises
        ------
        InvalidInput
            Fewer than two probes: one draw does not tell its own spread.
        """
        if self.n_probes < 2:
            raise InvalidInput(
                f"a standard error needs n_probes of at least 2: got {self.n_probes}."
            )
        value, forms = self.quadratic_forms(score, x)
        return value, forms.mean(0), forms.std(0) / math.sqrt(self.n_probes)

    def quadratic_forms(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        """The score and vᵀ (∂s/∂x) v for each probe and row, ``(n_probes, n)``."""
        keep = torch.is_grad_enabled()
        generator = self.generator or fresh(x.device)
        with differentiable(check_rows(x)) as x:
            value = check_like(score(x), x, "a score")
            forms = torch.stack(
                [
                    quadratic_form(value, x, self.probes(x, generator).detach(), keep_graph=keep)
                    for _ in range(self.n_probes)
                ]
            )
        return (value, forms) if keep else (value.detach(), forms.detach())


def check_count(value: int, name: str) -> int:
    """value itself, if it is an integer of at least 1.

    Raises
    ------
    InvalidInput
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInput(f"{name} must be an integer of at least 1: got {value!r}.")
    return value
