"""DPM-Solver++: exponential multistep integrators of the probability flow, on the denoiser D.

With λ = ln(α/σ) for the time, the flow of y = x/α is dy/dλ = D(y, λ) − y. Its linear part is solved
exactly, so that only the change of D along the path has to be approximated,

    x_next = (σ_next/σ) x + α_next ∫_λ^{λ_next} e^{−(λ_next − s)} D ds.

C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models"
(2022); M. Hochbruck & A. Ostermann, "Exponential multistep methods of Adams-type", BIT 51 (2011).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.samplers.diffusion import Diffusion

_SERIES_BELOW = 1.0
_SERIES_TERMS = 20


class Multistep(NamedTuple):
    """x, and the denoiser and the log-ratio λ of the step before."""

    x: Tensor
    denoised: Tensor | None = None
    log_ratio: float | None = None


def extrapolated(state: Multistep, denoised: Tensor, now: float, then: float) -> Tensor:
    """½ (D − D_before)/r, r = h_before/h: half the expected change of D; zero in the first step."""
    if state.denoised is None or state.log_ratio is None:
        return denoised.new_zeros(())
    ratio = (now - state.log_ratio) / (then - now)
    return (denoised - state.denoised) / (2 * ratio)


@dataclass(frozen=True)
class DPMSolver2M:
    """DPM-Solver++(2M), an exponential integrator on the denoiser D, exact for constant D.

    With λ = ln(α/σ), h = λ_next − λ and r = h_before/h,

        D̄ = (1 + 1/(2r)) D − 1/(2r) D_before,   x ← (σ_next/σ) x − α_next (e^{−h} − 1) D̄,

    and D̄ = D in the first step. C. Lu et al., "DPM-Solver++: fast solver for guided sampling of
    diffusion probabilistic models" (2022).
    """

    order: ClassVar[int] = 2
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> Multistep:
        return Multistep(x)

    def __call__(
        self, diffusion: Diffusion, state: Multistep, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> Multistep:
        now, then = diffusion.log_ratio(t), diffusion.log_ratio(t_next)
        _, sigma = diffusion.scales(t)
        alpha_next, sigma_next = diffusion.scales(t_next)
        denoised = diffusion.denoised(state.x, t)
        target = denoised + extrapolated(state, denoised, now, then)
        gain = -math.expm1(now - then)
        return Multistep(sigma_next / sigma * state.x + alpha_next * gain * target, denoised, now)


class Point(NamedTuple):
    """The denoiser D of one evaluation, and the log-ratio λ where it was made."""

    log_ratio: float
    denoised: Tensor


class History(NamedTuple):
    """x, and the points of the steps before, the newest first."""

    x: Tensor
    points: tuple[Point, ...] = ()


def integral(points: Sequence[Point], now: float, then: float) -> Tensor:
    """∫ e^{−(then − s)} P(s) ds from now to then, P the polynomial through the points; like D."""
    h = then - now
    weights = quadrature([(each.log_ratio - now) / h for each in points], h)
    terms = (w * each.denoised for w, each in zip(weights, points, strict=True))
    return torch.stack(list(terms)).sum(0)


def quadrature(nodes: Sequence[float], h: float) -> list[float]:
    """Weights w with Σⱼ wⱼ uⱼ^i = ∫₀¹ h e^{−h(1−u)} u^i du for all i below the number of nodes."""
    u = torch.tensor(nodes, dtype=torch.float64)
    powers = torch.stack([u**i for i in range(len(nodes))])
    right = torch.tensor([moment(i, h) for i in range(len(nodes))], dtype=torch.float64)
    weights: list[float] = torch.linalg.solve(powers, right).tolist()
    return weights


def moment(i: int, h: float) -> float:
    """m_i = ∫₀¹ h e^{−h(1−u)} u^i du = 1 − (i/h) m_{i−1}; by its series where that cancels."""
    if h < _SERIES_BELOW:
        terms = (
            (-h) ** j * math.factorial(i) / math.factorial(i + j + 1) for j in range(_SERIES_TERMS)
        )
        return h * math.fsum(terms)
    return -math.expm1(-h) if i == 0 else 1 - i / h * moment(i - 1, h)


def predicted(
    diffusion: Diffusion, x: Tensor, points: Sequence[Point], t: Tensor, t_next: Tensor
) -> Tensor:
    """x at t_next by the polynomial through the points."""
    now, then = diffusion.log_ratio(t), diffusion.log_ratio(t_next)
    _, sigma = diffusion.scales(t)
    alpha_next, sigma_next = diffusion.scales(t_next)
    return sigma_next / sigma * x + alpha_next * integral(points, now, then)


def corrected(diffusion: Diffusion, state: History, new: Point, t: Tensor) -> Tensor:
    """x at t as if D there had been known to the step that led to it; x itself at the start."""
    if not state.points:
        return state.x
    before = state.points[0].log_ratio
    known = integral((new, *state.points), before, new.log_ratio)
    guessed = integral(state.points, before, new.log_ratio)
    return state.x + diffusion.scales(t)[0] * (known - guessed)


@dataclass(frozen=True)
class DPMSolver3M:
    """DPM-Solver++(3M): D is the parabola through its last three values, integrated exactly.

    The second step has two values and the first only one, and an error of one order more than the
    others may make. So the first step is corrected once D at its end is known, as in `UniPC`, at
    no cost. In the notation of C. Lu et al. (2022) the term of D″ is −α φ₃ h² D″ = −2α φ₃ D₂, with
    the second divided difference D₂; programs that leave out the 2 are of order 2.
    """

    order: ClassVar[int] = 3
    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 0

    def init(self, x: Tensor) -> History:
        return History(x)

    def __call__(
        self, diffusion: Diffusion, state: History, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> History:
        new = Point(diffusion.log_ratio(t), diffusion.denoised(state.x, t))
        second = len(state.points) == 1
        x = corrected(diffusion, state, new, t) if second else state.x
        points = (new, *state.points)[:3]
        return History(predicted(diffusion, x, points, t, t_next), points)


@dataclass(frozen=True)
class UniPC:
    """UniPC-p: a prediction from p values of D, corrected once D is known at its end.

    The predictor UniP-p integrates the polynomial through the last p values of D; the corrector
    UniC-p repeats the step with the value at the step's end as well, which is the one that the next
    step needs in any case. The predictor alone is of order p, both together of order p + 1, but for
    p = 3, where the first steps with their fewer values leave 3. The last step is not corrected;
    its error is of order p + 1 by itself. With the coefficients solved for exactly, as here, the
    paper's function B(h) cancels. W. Zhao et al., "UniPC: a unified predictor-corrector framework
    for fast sampling of diffusion models" (NeurIPS 2023).

    Raises
    ------
    InvalidInput
        p is not 1, 2 or 3.
    """

    p: int = 2

    evaluations: ClassVar[int] = 1
    draws: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.p not in (1, 2, 3):
            raise InvalidInput(f"UniPC takes p = 1, 2 or 3 values of D: got p = {self.p!r}.")

    @property
    def order(self) -> int:
        return min(self.p + 1, 3)

    def init(self, x: Tensor) -> History:
        return History(x)

    def __call__(
        self, diffusion: Diffusion, state: History, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> History:
        new = Point(diffusion.log_ratio(t), diffusion.denoised(state.x, t))
        x = corrected(diffusion, state, new, t)
        points = (new, *state.points)[: self.p]
        return History(predicted(diffusion, x, points, t, t_next), points)
