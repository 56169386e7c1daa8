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

from scorematching.calculus import differentiable, pullback, quadratic_form
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


class _Form(Protocol):
    """A form of ∂value/∂x and v, for each row."""

    def __call__(self, value: Tensor, x: Tensor, v: Tensor, /, *, keep_graph: bool) -> Tensor: ...


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
        _at_least_two(self.n_probes, "a standard error needs")
        value, forms = self.quadratic_forms(score, x)
        return value, forms.mean(0), forms.std(0) / math.sqrt(self.n_probes)

    def with_squares(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The score, the trace and an unbiased Σⱼ (∂ⱼsⱼ)², the last two ``(n,)``.

        vⱼ (∂sᵀv)ⱼ has the mean ∂ⱼsⱼ (C. Bekas, E. Kokiopoulou, Y. Saad, "An estimator for the
        diagonal of a matrix", 2007); products are taken of different probes only.

        Raises
        ------
        InvalidInput
            Fewer than two probes: the square of one estimate is biased upwards.
        """
        _at_least_two(self.n_probes, "the squares of the diagonal need")
        value, diagonals = self._over_probes(diagonal_form, score, x)
        total, n = diagonals.sum(0), self.n_probes
        squares = sum_event(total**2 - (diagonals**2).sum(0)) / (n * (n - 1))
        return value, sum_event(total) / n, squares

    def quadratic_forms(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        """The score and vᵀ (∂s/∂x) v for each probe and row, ``(n_probes, n)``."""
        return self._over_probes(quadratic_form, score, x)

    def _over_probes(self, form: _Form, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        """The score and a form of ∂s/∂x and v, for each probe, ``(n_probes, n, …)``."""
        keep = torch.is_grad_enabled()
        generator = self.generator or fresh(x.device)
        with differentiable(check_rows(x)) as x:
            value = check_like(score(x), x, "a score")
            forms = torch.stack(
                [
                    form(value, x, self.probes(x, generator).detach(), keep_graph=keep)
                    for _ in range(self.n_probes)
                ]
            )
        return (value, forms) if keep else (value.detach(), forms.detach())


@dataclass(frozen=True)
class HutchPlusPlus:
    """The trace of ∂s/∂x, exact on its leading directions and by probes on the rest.

    With Q an orthonormal basis of A Ω, A = (∂s/∂x)ᵀ and Ω of rank normal directions,

        tr A = tr(QᵀAQ) + E[wᵀ A w],

    w uniform on the sphere of radius √(d − rank) in the complement of Q. Exact where A has at most
    that rank, or is a multiple of the identity. Unbiased, also in its derivatives, since w is drawn
    independently of Ω. The error falls as 1/n in the number of passes for any A whose eigenvalues
    have one sign, where that of `Hutchinson` falls as 1/√n; it pays where they fall off fast.

    Calling it gives the score and the trace, ``((n, *event), (n,))``, from one forward and
    2·rank + n_probes backward passes. With rank ≥ d the trace is exact.

    Parameters
    ----------
    rank
        Directions of the sketch.
    n_probes
        Probes of the rest, each row its own.
    generator
        The source of randomness; without one, fresh entropy at every call.

    Raises
    ------
    InvalidInput
        rank or n_probes is not a positive integer.

    References
    ----------
    R. A. Meyer, C. Musco, C. Musco, D. P. Woodruff, "Hutch++: optimal stochastic trace estimation",
    SOSA 2021; the sphere: E. N. Epperly, J. A. Tropp, R. J. Webber, "XTrace: making the most of
    every sample in stochastic trace estimation", SIAM J. Matrix Anal. Appl. 45 (2024).
    """

    rank: int = 2
    n_probes: int = 2
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        check_count(self.rank, "rank")
        check_count(self.n_probes, "n_probes")

    def __call__(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        value, leading, forms = self._parts(score, x)
        return value, leading + forms.mean(0)

    def with_standard_error(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The score, the trace and its standard error, each row's own.

        Given Q the mean is the trace, so that the spread over probes is all of its variance.

        Raises
        ------
        InvalidInput
            Fewer than two probes: one draw does not tell its own spread.
        """
        _at_least_two(self.n_probes, "a standard error needs")
        value, leading, forms = self._parts(score, x)
        error = forms.std(0) / math.sqrt(self.n_probes)
        return value, leading + forms.mean(0), error

    def _parts(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The score, tr(QᵀAQ) ``(n,)`` and wᵀAw for each probe, ``(n_probes, n)``."""
        keep = torch.is_grad_enabled()
        generator = self.generator or fresh(x.device)
        with differentiable(check_rows(x)) as x:
            value = check_like(score(x), x, "a score")
            basis = self._basis(value, x, generator)
            leading = torch.stack(
                [
                    quadratic_form(value, x, q.reshape(x.shape), keep_graph=keep)
                    for q in basis.unbind(-1)
                ]
            ).sum(0)
            forms = []
            for _ in range(self.n_probes):
                w = _on_complement(basis, x, generator)
                forms.append(quadratic_form(value, x, w, keep_graph=keep))
            rest = torch.stack(forms)
        parts = value, leading, rest
        return parts if keep else (value.detach(), leading.detach(), rest.detach())

    def _basis(self, value: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
        """Q, ``(n, d, min(rank, d))``, a constant as far as derivatives go."""
        sketch = []
        for _ in range(min(self.rank, event_size(x))):
            direction = normal(tuple(x.shape), x, generator)
            column = pullback(value, x, direction, keep_graph=False).detach()
            sketch.append(column.reshape(len(x), -1))
        columns = torch.stack(sketch, -1)
        wide = torch.promote_types(columns.dtype, torch.float32)  # no QR in half precision
        basis: Tensor = torch.linalg.qr(columns.to(wide)).Q
        return basis.to(columns.dtype)


def _on_complement(basis: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
    """w like x, uniform on the sphere of radius √(d − k) orthogonal to a basis ``(n, d, k)``."""
    d, k = basis.shape[1:]
    if k == d:
        return torch.zeros_like(x)
    v = normal((len(x), d, 1), x, generator)
    w: Tensor = v - basis @ (basis.mT @ v)
    length: Tensor = torch.linalg.vector_norm(w, dim=1, keepdim=True)
    return (w * (math.sqrt(d - k) / length)).reshape(x.shape)


def diagonal_form(value: Tensor, x: Tensor, v: Tensor, *, keep_graph: bool) -> Tensor:
    """v ⊙ (∂value/∂x)ᵀv, like x, by one vector–Jacobian product; its sum is `quadratic_form`."""
    return pullback(value, x, v, keep_graph=keep_graph) * v


def _at_least_two(n_probes: int, what: str) -> None:
    if n_probes < 2:
        raise InvalidInput(f"{what} n_probes of at least 2: got {n_probes}.")


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
