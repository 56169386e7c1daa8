"""Running a process backwards: what a solver is, and how it becomes a step of `walk`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from scorematching.errors import Diverged, InvalidInput
from scorematching.noise import DenoiserScore, Process
from scorematching.samplers.grids import Grid
from scorematching.samplers.walk import Noise, Progress, State, Walk, freeze, walk
from scorematching.shapes import check_like, per_row
from scorematching.typing import NoisyScore

S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Diffusion:
    """A noisy score and its process, in the forms that solvers use.

    Times are ``()`` in float64. Coefficients are numbers computed in float64 and applied in the
    dtype of x; the score is given t in the dtype of x.
    """

    noisy_score: NoisyScore
    process: Process

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """s(x, t), like x."""
        return check_like(self.noisy_score(x, t.to(x)), x, "a noisy score")

    def scales(self, t: Tensor) -> tuple[float, float]:
        """α(t) and σ(t)."""
        return self.process.alpha(t).item(), self.process.sigma(t).item()

    def rates(self, t: Tensor) -> tuple[float, float]:
        """f(t) and g(t)²."""
        return self.process.drift_rate(t).item(), self.process.diffusion_squared(t).item()

    def log_ratio(self, t: Tensor) -> float:
        """λ = ln(α/σ)."""
        return -self.process.noise_level(t).log().item()

    def denoised(self, x: Tensor, t: Tensor) -> Tensor:
        """D = E[x₀ | x_t = x] = (x + σ² s)/α, by Tweedie's formula.

        Of a `DenoiserScore` it is the denoiser's own value, which that formula would give back with
        the rounding of x/σ² in it.
        """
        own = self._own_denoised(x, t)
        if own is not None:
            return own
        alpha, sigma = self.scales(t)
        return (x + sigma**2 * self.score(x, t)) / alpha

    def denoised_unscaled(self, y: Tensor, t: Tensor) -> Tensor:
        """E[x₀ | x_t = αy] = y + (σ²/α) s(αy, t) of y = x_t/α; t in float64, ``()`` or ``(n,)``."""
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        x = per_row(alpha, y) * y
        own = self._own_denoised(x, t)
        return y + per_row(sigma**2 / alpha, y) * self.score(x, t) if own is None else own

    def score_unscaled(self, y: Tensor, t: Tensor) -> Tensor:
        """∇ of the log-density of y = x_t/α, which is α s(αy, t), like y."""
        alpha = self.process.alpha(t).item()
        return alpha * self.score(alpha * y, t)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """dx/dt of the probability flow, f x − ½ g² s."""
        rate, diffusion = self.rates(t)
        return rate * x - diffusion / 2 * self.score(x, t)

    def _own_denoised(self, x: Tensor, t: Tensor) -> Tensor | None:
        """D(x, t) where the score was made of a denoiser for this process, else None."""
        made_of = self.noisy_score
        if not isinstance(made_of, DenoiserScore) or made_of.process != self.process:
            return None
        return check_like(made_of.denoised(x, t), x, "a denoiser")


class Solver(Protocol[S]):
    """One step of a process run backwards, from t to a smaller t_next.

    Like a `Step`, with the diffusion as one more argument, so that ``Heun()`` or ``DPMSolver2M()``
    can be named before there is a score.
    """

    @property
    def order(self) -> int: ...

    @property
    def evaluations(self) -> int: ...

    @property
    def draws(self) -> int: ...

    def init(self, x: Tensor, /) -> S: ...

    def __call__(
        self, diffusion: Diffusion, state: S, t: Tensor, t_next: Tensor, z: Tensor | None, /
    ) -> S: ...


@dataclass(frozen=True)
class Solve(Generic[S]):
    """A solver applied to one diffusion: a step of `walk`."""

    solver: Solver[S]
    diffusion: Diffusion

    @property
    def order(self) -> int:
        return self.solver.order

    @property
    def evaluations(self) -> int:
        return self.solver.evaluations

    @property
    def draws(self) -> int:
        return self.solver.draws

    def init(self, x: Tensor) -> S:
        return self.solver.init(x)

    def __call__(self, state: S, t: Tensor, t_next: Tensor, z: Tensor | None) -> S:
        return self.solver(self.diffusion, state, t, t_next, z)


def run_backwards(
    solver: Solver[S],
    noisy_score: NoisyScore,
    process: Process,
    x: Tensor,
    grid: Grid,
    *,
    final_denoise: bool = True,
    generator: torch.Generator | None = None,
    noise: Noise | None = None,
    callback: Callable[[Progress], None] | None = None,
    record_every: int | None = None,
) -> Walk:
    """Run a process backwards, from noise to data, with any solver: one step a pair of times.

    Parameters
    ----------
    solver
        What happens between two times.
    noisy_score
        s(x, t) = ∇ log p_t(x).
    process
        What the noise did.
    x
        Rows ``(n, *event)`` at the first time of the grid, from `prior_sample`, say.
    grid
        The times, from much noise to little.
    final_denoise
        Replace x by E[x₀ | x_t = x] at the last time, for one more evaluation. Without it x is
        left as α x₀ + σ z at that time.
    generator, noise, callback, record_every
        As in `walk`; the record holds the steps, not the final denoising.

    Raises
    ------
    InvalidInput
        The times do not decrease, x is unusable, or noise was given to a solver that takes none.
    Diverged
        Every row became non-finite.
    """
    diffusion = Diffusion(noisy_score, process)
    times = grid(process)
    if times.ndim != 1 or not bool((times.diff() < 0).all()):
        raise InvalidInput(
            f"the times must decrease, from much noise to little: got {times.tolist()}."
        )
    result = walk(
        Solve(solver, diffusion),
        x,
        times,
        generator=generator,
        noise=noise,
        callback=callback,
        record_every=record_every,
    )
    return denoise_at(result, diffusion, times[-1]) if final_denoise else result


def denoise_at(result: Walk, diffusion: Diffusion, t: Tensor) -> Walk:
    """The walk with x replaced by E[x₀ | x_t = x], for one more evaluation.

    Raises
    ------
    Diverged
        No row is finite after it.
    """
    with torch.no_grad():
        clean = diffusion.denoised(result.x, t.double())
        x, diverged = freeze(result.x, clean, result.diverged)
    if bool(diverged.all()):
        raise Diverged(
            f"all {len(diverged)} chains became non-finite by the final denoising at "
            f"t = {t.item():g}. Check the score there."
        )
    return replace(result, x=x, diverged=diverged, n_evaluations=result.n_evaluations + 1)
