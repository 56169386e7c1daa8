"""Log-densities by the probability flow: the instantaneous change of variables.

d log p_t(x_t)/dt = −∇·u along dx/dt = u = f x − ½ g² s (R. T. Q. Chen et al., "Neural ordinary
differential equations", NeurIPS 2018; Y. Song et al., ICLR 2021). In the unscaled rows y = x/α with
the noise level σ̃ = σ/α as the time, every process gives the same equation,

    dy/d ln σ̃ = −σ̃² ∇ log p_σ̃(y) = y − D(y, σ̃),      d log p_σ̃(y)/d ln σ̃ = +σ̃² Δ log p_σ̃(y),

so log p(x) = log prior(y_max) − ∫ σ̃² Δ log p_σ̃(y) d ln σ̃, from σ̃_min, where y = x, to σ̃_max.
What is integrated is v = x_t/√(α² + σ²), which stands still for data of unit variance where y grows
as σ̃ does; that saves more than half of the steps, and large sums that cancel:

    dv/d ln σ̃ = −(σ²/ρ) (s + v/ρ),   ρ = √(α² + σ²),
    ∫ σ̃² Δ log p_σ̃ d ln σ̃ = ∫ σ² (∇·s + d/ρ²) d ln σ̃ − (d/2) ln[(1 + σ̃_max²)/(1 + σ̃_min²)].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scorematching.calculus import Exact, at
from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.likelihood.probes import FixedProbes, check_fixed
from scorematching.noise import Process
from scorematching.samplers.grids import ends
from scorematching.samplers.prior import NoisedGaussian
from scorematching.shapes import check_rows, event_size
from scorematching.typing import NoisyScore, Trace


class Prior(Protocol):
    """The density of the rows at the highest noise level: y ``(n, *event)`` → ``(n,)`` in nats."""

    def log_density(self, x: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class FlowLogDensity:
    """Log-densities and what is known of their errors.

    Attributes
    ----------
    value
        log p at the lowest noise level, ``(n,)``, in nats; not finite where the flow diverged.
    step_error
        ``(n,)``, |value − value at half as many steps|, or None if it was not asked for. It is the
        error of the *coarser* run: once the order of 4 has set in, that of value is 1/15 of it.
    probe_error
        ``(n,)``, the standard error over probes; None for the exact trace or a single probe.
    n_evaluations
        Calls of the score for each row, the check by half the steps included; each comes with d
        backward passes for the exact trace, or one a probe.
    """

    value: Tensor
    step_error: Tensor | None
    probe_error: Tensor | None
    n_evaluations: int


def flow_log_density(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    *,
    prior: Prior | None = None,
    n_steps: int = 48,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    trace: Trace | None = None,
    step_doubling: bool = True,
    chunk_size: int = 1024,
) -> FlowLogDensity:
    """log p(x) by fourth-order Runge–Kutta in ln σ, from σ_min to σ_max.

    Parameters
    ----------
    noisy_score
        s(x, t) = ∇ log p_t(x); ``noise.DenoiserScore(denoiser, process)`` makes one of a denoiser.
    process
        What the noise did; only its levels σ/α matter.
    x
        Rows of data ``(n, *event)``, taken as unscaled rows at the noise level σ_min: the result
        is log p_{σ_min}(x), the density of the data blurred by σ_min.
    prior
        The density at σ_max, of unscaled rows; N(0, (1 + σ_max²) I) by default, which is right
        for standardised data. ``NoisedGaussian(mean, covariance, sigma_max)`` is more exact.
    n_steps
        Steps of equal length in ln σ.
    sigma_min, sigma_max
        The range of σ/α; by default the process's own.
    trace
        ``Exact()`` (the default) or ``FixedProbes(…)``.
    step_doubling
        Also integrate with half as many steps, to report `FlowLogDensity.step_error`.
    chunk_size
        Rows at a time; a row's value does not depend on it but for rounding.

    Returns
    -------
    FlowLogDensity
        In nats, per row, in the dtype of x (the integral is summed in float64).

    Raises
    ------
    InvalidInput
        n_steps is odd with step_doubling, the trace draws anew at every call, the range lies
        outside the process's, or x is no batch of rows.
    """
    check_rows(x)
    check_count(n_steps, "n_steps")
    check_count(chunk_size, "chunk_size")
    check_fixed(trace)
    if step_doubling and n_steps % 2:
        raise InvalidInput(
            f"step doubling needs an even n_steps: got {n_steps}. "
            f"Pass n_steps={n_steps + 1}, or step_doubling=False."
        )
    low, high = ends(process, sigma_min, sigma_max)
    flow = _Flow(noisy_score, trace or Exact(), _Levels.between(process, low, high, n_steps))
    base = prior or NoisedGaussian(x.new_zeros(x.shape[1:]), None, high)
    with torch.no_grad():
        chunks = torch.split(x, chunk_size)
        fine = torch.cat([flow.log_density(chunk, base, 1) for chunk in chunks], 1)
        value, step_error = fine.mean(0), None
        if step_doubling:
            coarse = torch.cat([flow.log_density(chunk, base, 2) for chunk in chunks], 1)
            step_error = (value - coarse.mean(0)).abs().to(x)
    probes = len(fine)
    probe_error = (fine.std(0) / math.sqrt(probes)).to(x) if probes > 1 else None
    evaluations = 4 * n_steps + (2 * n_steps if step_doubling else 0)
    return FlowLogDensity(value.to(x), step_error, probe_error, evaluations)


@dataclass(frozen=True)
class _Levels:
    """The noise levels at the ends and middles of the steps, ``(2 n_steps + 1,)`` in float64.

    Attributes
    ----------
    times, sigmas, radii
        t, σ(t) and ρ = √(α² + σ²).
    low, high
        The ends of σ/α.
    """

    times: Tensor
    sigmas: list[float]
    radii: list[float]
    low: float
    high: float

    @classmethod
    def between(cls, process: Process, low: float, high: float, n_steps: int) -> _Levels:
        fraction = torch.linspace(0, 1, 2 * n_steps + 1, dtype=torch.float64)
        levels = low * (high / low) ** fraction
        levels[-1] = high
        times = process.time_of(levels)
        sigmas = process.sigma(times)
        radii = torch.hypot(process.alpha(times), sigmas)
        return cls(times, sigmas.tolist(), radii.tolist(), low, high)


@dataclass(frozen=True)
class _Flow:
    """The equations of the module's docstring, on fixed levels."""

    noisy_score: NoisyScore
    trace: Trace
    levels: _Levels

    def log_density(self, x: Tensor, prior: Prior, stride: int) -> Tensor:
        """log p per probe and row, ``(n_probes, n)`` in float64; with the stride of a step."""
        low, high = self.levels.low, self.levels.high
        nodes = len(self.levels.times)
        h = math.log(high / low) * 2 * stride / (nodes - 1)
        v = x / math.hypot(1, low)
        gained = torch.zeros(1, len(x), dtype=torch.float64, device=x.device)
        for i in range(0, nodes - 1, 2 * stride):
            middle, end = i + stride, i + 2 * stride
            first, growth1 = self.slopes(v, i)
            second, growth2 = self.slopes(v + h / 2 * first, middle)
            third, growth3 = self.slopes(v + h / 2 * second, middle)
            fourth, growth4 = self.slopes(v + h * third, end)
            v = v + h / 6 * (first + 2 * second + 2 * third + fourth)
            gained = gained + h / 6 * (growth1 + 2 * growth2 + 2 * growth3 + growth4)
        spread = event_size(x) * math.log(math.hypot(1, high) / math.hypot(1, low))
        return prior.log_density(math.hypot(1, high) * v).double() - gained + spread

    def slopes(self, v: Tensor, i: int) -> tuple[Tensor, Tensor]:
        """dv/d ln σ̃, like v, and σ² (∇·s + d/ρ²), ``(n_probes, n)`` in float64, at level i."""
        sigma, radius = self.levels.sigmas[i], self.levels.radii[i]
        score = at(self.noisy_score, self.levels.times[i])
        if isinstance(self.trace, FixedProbes):
            value, traces = self.trace.quadratic_forms(score, radius * v)
        else:
            value, total = self.trace(score, radius * v)
            traces = total[None]
        velocity = -(sigma**2) / radius * (value + v / radius)
        return velocity, sigma**2 * (traces.double() + event_size(v) / radius**2)
