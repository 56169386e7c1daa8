"""Scores from densities, and derivatives of scores.

p = e^{−φ}/Z ⇒ s = ∇ₓ log p = −∇φ: the normalising constant Z drops out. An energy φ or a
log-density enters here once, and from here on everything has one sign, ∇ₓ log p.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.shapes import check_like, check_rows, event_size, sum_event
from scorematching.typing import HasLogProb, LogDensity, NoisyScore, Score, Trace


@dataclass(frozen=True)
class LogDensityScore:
    """The score of a log-density known up to a constant: s(x) = ∇ₓ log p(x)."""

    log_density: LogDensity

    def __call__(self, x: Tensor) -> Tensor:
        return gradient(self.log_density, x)


@dataclass(frozen=True)
class EnergyScore:
    """The score of an energy (potential) φ = −log p + const: s(x) = −∇ₓ φ(x)."""

    energy: LogDensity

    def __call__(self, x: Tensor) -> Tensor:
        return -gradient(self.energy, x)


@dataclass(frozen=True)
class ScoreAt:
    """A noisy score frozen at one time: x ↦ s(x, t)."""

    noisy_score: NoisyScore
    t: Tensor | float

    def __call__(self, x: Tensor) -> Tensor:
        return self.noisy_score(x, torch.as_tensor(self.t, dtype=x.dtype, device=x.device))


def score_of(log_density: LogDensity | HasLogProb) -> LogDensityScore:
    """The score ∇ₓ log p of a log-density, or of anything with a ``log_prob``.

    Parameters
    ----------
    log_density
        Maps x ``(n, *event)`` to ``(n,)``, in nats, up to a constant; or an object with a method
        ``log_prob`` that does (a member of ``torch.distributions``, say).

    Returns
    -------
    LogDensityScore
        A callable, twice differentiable where the log-density is, in x and in the parameters.

    Raises
    ------
    InvalidInput
        The argument is neither; or, when called, it returns another shape than ``(n,)``.
    """
    log_prob = getattr(log_density, "log_prob", None)
    if callable(log_prob):
        return LogDensityScore(log_prob)
    if not callable(log_density):
        raise InvalidInput(
            f"expected a callable log-density or an object with log_prob: "
            f"got {type(log_density).__name__}."
        )
    return LogDensityScore(log_density)


def from_energy(energy: LogDensity) -> EnergyScore:
    """The score −∇ₓ φ of an energy φ, which maps x ``(n, *event)`` to ``(n,)``.

    Raises
    ------
    InvalidInput
        The argument is not callable; or, when called, it returns another shape than ``(n,)``.
    """
    if not callable(energy):
        raise InvalidInput(f"expected a callable energy: got {type(energy).__name__}.")
    return EnergyScore(energy)


def at(noisy_score: NoisyScore, t: Tensor | float) -> ScoreAt:
    """The score x ↦ s(x, t) of a noisy score at time t, a number or one per row ``(n,)``."""
    return ScoreAt(noisy_score, t)


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∇ₓ of a function that maps each row to a number: ``(n, *event)`` → like x.

    Keeps the graph where gradients are enabled, so that it can be differentiated again.

    Raises
    ------
    InvalidInput
        The function returns another shape than ``(n,)``.
    """
    keep = torch.is_grad_enabled()
    with differentiable(check_rows(x)) as x:
        value = function(x)
        if value.shape != x.shape[:1]:
            raise InvalidInput(
                f"a log-density or energy must return one number per row, shape ({x.shape[0]},): "
                f"got {tuple(value.shape)}. Sum over the event axes, not over the rows."
            )
        return pullback(value, x, torch.ones_like(value), keep_graph=keep)


def divergence(score: Score, x: Tensor, trace: Trace | None = None) -> Tensor:
    """∇ₓ·s(x) = tr ∂s/∂x, exactly by default.

    Parameters
    ----------
    score
        x ``(n, *event)`` → like x; each row's value depends on that row alone.
    x
        ``(n, *event)``.
    trace
        ``Exact()`` (the default) or ``Hutchinson(…)``.

    Returns
    -------
    Tensor
        ``(n,)``, differentiable in the parameters of the score.
    """
    return (trace or Exact())(score, x)[1]


def laplacian(
    log_density: LogDensity | HasLogProb, x: Tensor, trace: Trace | None = None
) -> Tensor:
    """Δₓ log p(x) = ∇·∇ log p: ``(n, *event)`` → ``(n,)``. Arguments as in `divergence`."""
    return divergence(score_of(log_density), x, trace)


@dataclass(frozen=True)
class Exact:
    """The exact trace of ∂s/∂x, one backward pass a coordinate.

    Calling it gives the score and the trace together, ``((n, *event), (n,))``, from one forward
    pass. Cost: one forward and d backward passes; d at a time is the memory of the graph.
    """

    def __call__(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        value, diagonal = self.diagonal(score, x)
        return value, sum_event(diagonal)

    def with_squares(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The score, Σⱼ ∂ⱼsⱼ and Σⱼ (∂ⱼsⱼ)², the last two ``(n,)``."""
        value, diagonal = self.diagonal(score, x)
        return value, sum_event(diagonal), sum_event(diagonal**2)

    def diagonal(self, score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
        """The score and ∂ⱼsⱼ for every coordinate, both like x."""
        keep = torch.is_grad_enabled()
        with differentiable(check_rows(x)) as x:
            value = check_like(score(x), x, "a score")
            rows, d = x.shape[0], event_size(x)
            entries = []
            for j in range(d):
                direction = torch.zeros(rows, d, dtype=value.dtype, device=value.device)
                direction[:, j] = 1.0
                column = pullback(value, x, direction.view(x.shape), keep_graph=keep)
                entries.append(column.reshape(rows, d)[:, j])
            diagonal = torch.stack(entries, 1).reshape(x.shape)
        return (value, diagonal) if keep else (value.detach(), diagonal.detach())


def quadratic_form(value: Tensor, x: Tensor, v: Tensor, *, keep_graph: bool) -> Tensor:
    """vᵀ (∂value/∂x) v per row ``(n,)``, by one vector–Jacobian product."""
    return sum_event(pullback(value, x, v, keep_graph=keep_graph) * v)


def pullback(value: Tensor, x: Tensor, v: Tensor, *, keep_graph: bool) -> Tensor:
    """(∂value/∂x)ᵀ v, zero where the value does not depend on x.

    ``torch.autograd.grad`` rather than ``torch.func``: it accepts any callable, also those that
    differentiate inside themselves or branch on their data, and measures no slower.

    Raises
    ------
    InvalidInput
        The value varies from row to row and carries no gradient: its derivative is unknown.
    """
    if not value.requires_grad:
        _check_constant(value)
        return torch.zeros_like(x)
    (result,) = torch.autograd.grad(
        value, x, v, create_graph=keep_graph, retain_graph=True, materialize_grads=True
    )
    return result


def _check_constant(value: Tensor) -> None:
    """Refuse a value without gradient unless it is the same in all rows (infinite ones aside)."""
    rows = value.reshape(value.shape[0], math.prod(value.shape[1:]))
    rows = rows[rows.isfinite().all(1)]
    if bool((rows != rows[:1]).any()):
        raise InvalidInput(
            "cannot differentiate by x: the values differ from row to row yet carry no gradient. "
            "They were computed under torch.no_grad, detached, or outside torch; compute them "
            "with gradients. If they truly do not depend on x, add 0 * x."
        )


@contextmanager
def differentiable(x: Tensor) -> Iterator[Tensor]:
    """x as a tensor to differentiate by, with gradients enabled whatever the surroundings.

    Inference mode is left as well: inside it ``enable_grad`` has no effect, and every derivative
    would come out as zero.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone() if x.is_inference() else x
        yield x if x.requires_grad else x.detach().requires_grad_()
