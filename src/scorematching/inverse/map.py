"""The most probable signal under a measurement and a learned prior, from smooth to sharp.

    min ½‖y − F(x)‖²/σ_y² − log p_σ(x):   Jᵀ(y − F(x))/σ_y² + ∇ log p_σ(x) = 0,   J = ∂F/∂x,

at one noise level σ after another, from the highest to the lowest. The prior p_σ = p ∗ N(0, σ²I) is
smooth while σ is large: with σ far above the spread of the data −log p_σ is nearly a parabola, and
for a linear F there is one minimum whatever the start. Following it as σ falls is a homotopy, the
graduated non-convexity of A. Blake & A. Zisserman, "Visual reconstruction" (1987). For a Gaussian
prior N(μ, C) it is Tikhonov's x = μ + C̃Aᵀ(AC̃Aᵀ + σ_y²I)⁻¹(y − Aμ) with C̃ = C + σ²I.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import Diverged, InvalidInput
from scorematching.hutchinson import check_count
from scorematching.inverse.ascent import ascend, norm
from scorematching.inverse.measurement import Measurement
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion
from scorematching.samplers.grids import Grid, LogUniformGrid
from scorematching.shapes import check_rows, event_size
from scorematching.typing import NoisyScore

N_STEPS = 20


@dataclass(frozen=True, eq=False)
class MapEstimate:
    """Signals, and whether they are stationary.

    Attributes
    ----------
    x
        ``(n, *event)``, always finite; the prior is blurred by the last of the levels.
    converged
        ``(n,)``, whether the two pulls, of the measurement and of the prior, balance to within the
        tolerance at the last level.
    imbalance
        ``(n,)``, the norm of the sum of the two pulls over the sum of their norms.
    n_evaluations
        Evaluations of the score for each row, and of F and its vector–Jacobian product.
    levels
        The noise levels σ, falling, ``(n_levels,)``.
    trajectory
        ``(1 + n_levels, n, *event)``: the start and x at the end of each level; None unless asked
        for.
    """

    x: Tensor
    converged: Tensor
    imbalance: Tensor
    n_evaluations: int
    levels: Tensor
    trajectory: Tensor | None = None


def map_estimate(
    noisy_score: NoisyScore,
    process: Process,
    y: Tensor,
    measurement: Measurement,
    start: Tensor,
    *,
    grid: Grid | None = None,
    tolerance: float | None = None,
    max_steps: int = 100,
    record: bool = False,
) -> MapEstimate:
    """The maximum of log p(y|x) + log p_σ(x), followed from the highest noise level to the lowest.

    Parameters
    ----------
    noisy_score
        ∇ log p_t, s(x, t), of the prior.
    process
        What the noise did; only its levels σ/α matter. The signals here are unscaled ones.
    y
        What was measured, ``(n, *measured)``.
    measurement
        F and σ_y.
    start
        Where to start, ``(n, *event)``; the mean of the data, say. It hardly matters if the highest
        level is above the spread of the data.
    grid
        The levels, as times; by default 21, spaced evenly in ln σ over the process's range. The
        last one sharpens the prior and is the σ of the result: one at which the score is right.
    tolerance
        Of the imbalance at the last level, by default √ε of the dtype; the levels before it only
        lead there, and are left at the root of it.
    max_steps
        Newton steps at each level, each of at most d + 1 evaluations and what halving it takes.
    record
        Keep x at the end of each level.

    Returns
    -------
    MapEstimate
        A stationary point of each row; where −log p has several minima, the one the path leads to.

    Raises
    ------
    InvalidInput
        y or start are no floating rows or differ in number, dtype or device, a number is out of
        range, the levels do not fall, or F or the score return another shape.
    Diverged
        Every row became non-finite.

    Warns
    -----
    RuntimeWarning
        Some rows did not converge; ``converged`` says which.
    """
    _check(y, start)
    check_count(max_steps, "max_steps")
    aim = torch.finfo(start.dtype).eps ** 0.5 if tolerance is None else tolerance
    if not 0 < aim < 1:
        raise InvalidInput(f"the tolerance must lie in (0, 1): got {tolerance!r}.")
    times = (grid or LogUniformGrid(N_STEPS))(process)
    levels = process.noise_level(times)
    if not bool((levels.diff() < 0).all()):
        raise InvalidInput(f"the noise levels must fall: got {levels.tolist()}.")
    diffusion = Diffusion(noisy_score, process)
    x, kept, evaluations = start, [start], 0
    with torch.no_grad():
        for i, (t, level) in enumerate(zip(times, levels.tolist(), strict=True)):
            ascent = ascend(
                _Pulls(diffusion, measurement, y, t),
                x,
                unit=level * event_size(x) ** 0.5,
                tolerance=aim if i == len(times) - 1 else aim**0.5,
                max_steps=max_steps,
            )
            x, evaluations = ascent.x, evaluations + ascent.n_evaluations
            kept.append(x)
    _check_end(ascent.imbalance, ascent.converged, max_steps)
    trajectory = torch.stack(kept) if record else None
    return MapEstimate(x, ascent.converged, ascent.imbalance, evaluations, levels, trajectory)


@dataclass(frozen=True)
class _Pulls:
    """Jᵀ(y − F(x))/σ_y² + ∇ log p_t(x) in unscaled rows, and the sum of the norms of the two."""

    diffusion: Diffusion
    measurement: Measurement
    y: Tensor
    t: Tensor

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        data = self.measurement.score(x, self.y)
        prior = self.diffusion.score_unscaled(x, self.t)
        return data + prior, norm(data) + norm(prior)


def _check(y: Tensor, start: Tensor) -> None:
    check_rows(start, "start")
    check_rows(y, "y")
    same = (len(y), y.dtype, y.device) == (len(start), start.dtype, start.device)
    if not same or not len(start):
        raise InvalidInput(
            "y and start must have one row for each signal, of one dtype and device: got y of "
            f"shape {tuple(y.shape)}, {y.dtype}, and start of shape {tuple(start.shape)}, "
            f"{start.dtype}. A single mean serves all rows as mean.expand(len(y), …)."
        )
    for name, value in (("y", y), ("start", start)):
        if not bool(value.isfinite().all()):
            raise InvalidInput(f"{name} must be finite: got {value[~value.isfinite()][0].item()}.")


def _check_end(imbalance: Tensor, converged: Tensor, max_steps: int) -> None:
    if not bool(imbalance.isfinite().any()):
        raise Diverged(
            f"all {len(imbalance)} rows became non-finite. Check the score and the forward map."
        )
    if not bool(converged.all()):
        worst = imbalance[~converged].nan_to_num(float("inf")).max().item()
        warnings.warn(
            f"{int((~converged).sum())} of {len(converged)} rows did not converge in {max_steps} "
            f"steps at the last noise level: the pulls of the measurement and of the prior differ "
            f"by up to {worst:.1e} of their sum. Raise max_steps, the tolerance or the last level.",
            RuntimeWarning,
            stacklevel=3,
        )
