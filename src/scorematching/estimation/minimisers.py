"""Minimisation by SciPy with exact derivatives, and what counts as converged.

The scale of the problem is taken out first: v = u/scale, where a step of one scale along a
coordinate changes J by ½|J|, as its curvature at the start says, so that the units of the
parameters do not matter. A point has converged if the gradient in v is small against |J|: at a
slope of 10⁻⁶, J lies within some 10⁻¹² of its minimum, relatively.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

Array = NDArray[np.float64]
ROUNDS = 4  # of minimisation, each in the scale of the point where the last one ended
REFUSED = 1e30  # in units of J at the start: what a point counts where J is not finite
HESSIANS = 400  # coordinates up to which a Hessian a round is worth its passes
SMALLEST = 0.1  # of the largest: the size of a coordinate near zero, where no curvature says it


class Smooth(Protocol):
    """A function of u ``(k,)`` with its first two derivatives."""

    def value_and_gradient(self, u: Tensor, /) -> tuple[float, Tensor]:
        """J(u) and ∂J/∂u ``(k,)``."""

    def hessian(self, u: Tensor, /) -> Tensor:
        """∂²J/∂u∂uᵀ ``(k, k)``."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Where a minimisation ended.

    Parameters
    ----------
    u
        ``(k,)``.
    value
        J(u).
    slope
        The largest entry of the scaled gradient, over |J|.
    converged
        Whether the slope is below the tolerance.
    message
        What SciPy says.
    """

    u: Tensor
    value: float
    slope: float
    converged: bool
    message: str


class Minimiser(Protocol):
    """A local minimiser."""

    def __call__(self, function: Smooth, start: Tensor, /) -> Outcome:
        """From start ``(k,)``."""


@dataclass(frozen=True)
class TrustRegion:
    """Newton steps inside a region where the quadratic model holds (SciPy's trust-exact).

    For some tens of parameters: a Hessian takes a backward pass for each.

    Parameters
    ----------
    max_iterations
        Steps at most.
    tolerance
        Of the scaled gradient over |J|.
    """

    max_iterations: int = 500
    tolerance: float = 1e-6

    def __call__(self, function: Smooth, start: Tensor) -> Outcome:
        """From start ``(k,)``."""
        options = {"maxiter": self.max_iterations, "gtol": self.tolerance / 10}
        return _rounds(function, start, "trust-exact", options, self.tolerance)


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory quasi-Newton (SciPy's L-BFGS-B), for hundreds of parameters.

    Parameters
    ----------
    max_iterations
        At most.
    tolerance
        Of the scaled gradient over |J|.
    memory
        Pairs of steps kept.
    """

    max_iterations: int = 5000
    tolerance: float = 1e-6
    memory: int = 30

    def __call__(self, function: Smooth, start: Tensor) -> Outcome:
        """From start ``(k,)``."""
        options = {
            "maxiter": self.max_iterations,
            "maxfun": 2 * self.max_iterations,
            "maxcor": self.memory,
            "ftol": 0.0,
            "gtol": self.tolerance / 10,
        }
        return _rounds(function, start, "L-BFGS-B", options, self.tolerance)


@dataclass(frozen=True, eq=False)
class Scaled:
    """J(scale · v)/unit for SciPy."""

    function: Smooth
    scale: Tensor
    unit: float

    def value_and_gradient(self, v: Array) -> tuple[float, Array]:
        """Of v ``(k,)``; a large number where J is not finite, so that steps are taken back."""
        value, gradient = self.function.value_and_gradient(self.scale * torch.as_tensor(v))
        if not math.isfinite(value) or not bool(gradient.isfinite().all()):
            return REFUSED, np.zeros(len(v))
        return value / self.unit, (self.scale * gradient / self.unit).numpy()

    def hessian(self, v: Array) -> Array:
        """∂²/∂v∂vᵀ, ``(k, k)``; the identity where it is not finite, a step that is taken back."""
        hessian = self.function.hessian(self.scale * torch.as_tensor(v))
        if not bool(hessian.isfinite().all()):
            return np.eye(len(v))
        return (self.scale[:, None] * hessian * self.scale / self.unit).numpy()


def scale_of(u: Tensor, value: float, hessian: Tensor | None) -> Tensor:
    """√(|J|/H_kk), or where H is not known or not positive the size of u, ``(k,)``.

    A size is at least a tenth of the largest.
    """
    size = u.abs()
    largest = size.max().item()
    size = size.clamp(min=SMALLEST * largest) if largest > 0 else torch.ones_like(u)
    if hessian is None:
        return size
    natural = (abs(value) / hessian.diagonal()).sqrt()
    return torch.where(natural.isfinite() & (natural > 0), natural, size)


def slope_of(value: float, gradient: Tensor, scale: Tensor) -> float:
    """The largest entry of the scaled gradient over |J|."""
    return (scale * gradient).abs().max().item() / unit_of(value)


def unit_of(value: float) -> float:
    """|J|, and not zero."""
    return max(abs(value), sys.float_info.min)


def _rounds(
    function: Smooth, start: Tensor, method: str, options: dict[str, Any], tolerance: float
) -> Outcome:
    """Minimise, and again from where it ended with the scale of that point, while it helps."""
    u, slope = start, math.inf
    value, gradient = function.value_and_gradient(u)
    message = "the objective is not finite at the start"
    for done in range(ROUNDS + 1):
        if not math.isfinite(value):
            break
        scale = scale_of(u, value, function.hessian(u) if len(u) <= HESSIANS else None)
        slope = slope_of(value, gradient, scale)
        if slope <= tolerance or done == ROUNDS:
            break
        scaled = Scaled(function, scale, unit_of(value))
        result = minimize(  # type: ignore[call-overload]
            scaled.value_and_gradient,
            (u / scaled.scale).numpy(),
            jac=True,
            hess=scaled.hessian if method == "trust-exact" else None,
            method=method,
            options=options,
        )
        message = str(result.message)
        u = scaled.scale * torch.as_tensor(result.x)
        value, gradient = function.value_and_gradient(u)
    return Outcome(u, value, slope, slope <= tolerance, message)
