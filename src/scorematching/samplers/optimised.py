"""A grid of noise levels chosen for one model: short steps where its denoiser changes most.

Between two levels a solver of the first order (Euler in ln σ, DDIM) keeps the denoiser D as it was.
In the unscaled rows y = x/α, along a path of the model with λ = −ln σ, that leaves the local error

    e(λ, λ′) = ∫_λ^{λ′} e^{−(λ′ − s)} [D(s) − D(λ)] ds,

and what is minimised over all grids with the same ends is Σ E‖e‖²/(d σ′²), the error in units of
the noise that is left: twice the Kullback–Leibler divergence, a coordinate, that e makes between
N(y, σ′²I) and N(y + e, σ′²I). The paths are followed once on many levels, of which the best few
are found by dynamic programming.

D. Chen et al., "On the trajectory regularity of ODE-based diffusion sampling" (ICML 2024), search
in the same way with ‖e‖ alone; A. Sabour, S. Fidler & K. Kreis, "Align your steps" (ICML 2024),
minimise a Kullback–Leibler divergence of stochastic paths.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.noise import Process
from scorematching.samplers.diffusion import Diffusion, run_backwards
from scorematching.samplers.grids import LevelGrid, LogUniformGrid
from scorematching.samplers.multistep import UniPC, moment, quadrature
from scorematching.typing import NoisyScore


def optimised_grid(
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    n_steps: int,
    *,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    n_fine: int = 64,
) -> LevelGrid:
    """The grid of n_steps steps with the least Σ E‖e‖²/(d σ′²) along the model's own paths.

    Made for a first-order error, it serves solvers of higher order as well, `UniPC` the most.

    Parameters
    ----------
    noisy_score, process
        As in `run_backwards`.
    x
        Rows ``(n, *event)`` to start the paths from at the highest level; some hundred will do.
    n_steps
        The number of steps.
    sigma_min, sigma_max
        The ends, as levels σ/α; by default the process's own.
    n_fine
        The paths are followed on so many steps of equal length in ln σ, whose ends are the levels
        to choose from; 2 n_fine + 1 evaluations.

    Raises
    ------
    InvalidInput
        n_fine is below n_steps, or another argument is out of its range.
    Diverged
        Every path became non-finite.
    """
    check_count(n_steps, "n_steps")
    check_count(n_fine, "n_fine")
    if n_fine < n_steps:
        raise InvalidInput(
            f"n_fine must be at least n_steps, {n_steps}: got {n_fine}. A few times as many are "
            "enough to choose from."
        )
    fine = LogUniformGrid(n_fine, sigma_min, sigma_max)
    levels = process.noise_level(fine(process))
    denoised = denoised_along(noisy_score, process, x, fine)
    chosen = least_path(local_errors(levels, denoised), n_steps)
    return LevelGrid(tuple(levels[chosen].tolist()))


def denoised_along(
    noisy_score: NoisyScore, process: Process, x: Tensor, grid: LogUniformGrid
) -> Tensor:
    """D along the flow from each row that stays finite, ``(n_steps + 1, n, *event)``."""
    result = run_backwards(
        UniPC(3), noisy_score, process, x, grid, final_denoise=False, record_every=1
    )
    assert result.trajectory is not None
    paths = result.trajectory[:, ~result.diverged]
    diffusion = Diffusion(noisy_score, process)
    with torch.no_grad():
        pairs = zip(paths, grid(process), strict=True)
        return torch.stack([diffusion.denoised(each, t) for each, t in pairs])


def local_errors(levels: Tensor, denoised: Tensor) -> Tensor:
    """E‖e‖²/(d σ′²) of a step from level i to level j, ``(m + 1, m + 1)``; ∞ unless j > i.

    Levels ``(m + 1,)`` fall; D ``(m + 1, n, *event)`` is taken as linear in λ between them.
    """
    logs = levels.log()
    cells = [quadrature([0.0, 1.0], h) for h in (-logs.diff()).tolist()]
    errors = torch.full((len(levels), len(levels)), torch.inf, dtype=torch.float64)
    for i in range(len(levels) - 1):
        total = torch.zeros_like(denoised[i])
        for j in range(i + 1, len(levels)):
            start, end = cells[j - 1]
            total = levels[j] / levels[j - 1] * total + start * denoised[j - 1] + end * denoised[j]
            kept = moment(0, (logs[i] - logs[j]).item()) * denoised[i]
            square = (total - kept).double().square().mean()
            errors[i, j] = square / levels[j] ** 2
    return errors


def least_path(costs: Tensor, n_steps: int) -> list[int]:
    """The n_steps + 1 nodes from the first to the last, increasing, with the least sum of costs."""
    total, before = costs[0], list[Tensor]()
    for _ in range(n_steps - 1):
        total, at = (total[:, None] + costs).min(0)
        before.append(at)
    path = [len(costs) - 1]
    for at in reversed(before):
        path.append(int(at[path[-1]]))
    return [0, *reversed(path)]
