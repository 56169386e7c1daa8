"""A claim: a sentence about an objective that can be checked, and what came of checking it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

RELATIVE = 1e-9  # the largest relative error of a deterministic quantity in float64
SIGMAS = 4.0  # the largest error of a random one, in standard errors


@dataclass(frozen=True)
class Outcome:
    """What was expected, what was measured, how far they are apart, and whether that will do."""

    expected: str
    measured: str
    error: str
    holds: bool


@dataclass(frozen=True)
class Claim:
    """A statement about an objective, the formula it is held against, and the way to check it."""

    objective: str
    statement: str
    formula: str
    check: Callable[[], Outcome]

    def __str__(self) -> str:
        return f"{self.objective}: {self.statement}"


def number(value: float) -> str:
    """Six significant digits; what is zero but for rounding is 0."""
    return "0" if abs(value) < 1e-12 else f"{value:.6g}"


def equal(measured: Tensor | float, expected: Tensor | float) -> Outcome:
    """Entry by entry within `RELATIVE` of the largest entry; a tensor is shown by its mean."""
    a = torch.as_tensor(measured, dtype=torch.float64)
    b = torch.as_tensor(expected, dtype=torch.float64)
    if a.shape != b.shape:
        return Outcome(f"shape {tuple(b.shape)}", f"shape {tuple(a.shape)}", "—", holds=False)
    error = ((a - b).abs().max() / b.abs().max()).item()
    shown = f"{error:.0e} relative"
    return Outcome(number(b.mean().item()), number(a.mean().item()), shown, error <= RELATIVE)


def zero(measured: Tensor, scale: Tensor | float) -> Outcome:
    """Within `RELATIVE` of zero, on the scale of the terms that cancel."""
    error = (measured.abs().max() / torch.as_tensor(scale).abs().max()).item()
    shown = f"{error:.0e} relative"
    return Outcome("0", number(measured.abs().max().item()), shown, error <= RELATIVE)


def average(draws: Tensor, expected: Tensor | float) -> Outcome:
    """The mean of independent draws ``(n,)`` lies within `SIGMAS` standard errors of the truth."""
    expected = float(expected)
    z = (draws.mean().item() - expected) / standard_error(draws)
    return Outcome(number(expected), number(draws.mean().item()), f"z = {z:+.2f}", abs(z) <= SIGMAS)


def spread(draws: Tensor, expected: Tensor | float) -> Outcome:
    """The variance of independent draws agrees with the truth, by its own standard error."""
    squares = (draws - draws.mean()) ** 2 * (len(draws) / (len(draws) - 1))
    return average(squares, expected)


def argmin(left: Tensor, at: Tensor, right: Tensor) -> Outcome:
    """Draws of a derivative below, at and above the truth: negative, zero, positive.

    Each is ``(n,)``, independent draws whose mean is the derivative.
    """
    means = [draws.mean().item() for draws in (left, at, right)]
    z = [mean / standard_error(draws) for mean, draws in zip(means, (left, at, right), strict=True)]
    holds = z[0] < -SIGMAS and abs(z[1]) <= SIGMAS and z[2] > SIGMAS
    return Outcome("− 0 +", ", ".join(map(number, means)), f"z = {z[1]:+.2f}", holds)


def argmin_exact(left: Tensor, at: Tensor, right: Tensor) -> Outcome:
    """As `argmin`, for derivatives ``()`` without a Monte Carlo error."""
    error = (at.abs() / torch.maximum(left.abs(), right.abs())).item()
    holds = bool(left < 0) and bool(right > 0) and error <= RELATIVE
    shown = ", ".join(number(value.item()) for value in (left, at, right))
    return Outcome("− 0 +", shown, f"{error:.0e} relative", holds)


def same(measured: str, expected: str) -> Outcome:
    """Two descriptions are the same."""
    return Outcome(expected, measured, "—", measured == expected)


def standard_error(draws: Tensor) -> float:
    """The standard error of the mean of independent draws ``(n,)``."""
    return draws.std().item() / math.sqrt(len(draws))
