"""Grids of times from much noise to little, spaced in the noise level σ/α.

A grid is a callable: a process → its times ``(n_steps + 1,)`` in float64, decreasing, both ends
included. With the ends left out it spans the process's own range.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.noise import Ladder, Process
from scorematching.noise.ve import check_range


class Grid(Protocol):
    """A process → decreasing times ``(n_steps + 1,)``."""

    def __call__(self, process: Process, /) -> Tensor: ...


@dataclass(frozen=True)
class KarrasGrid:
    """σᵢ = (σ_max^{1/ρ} + (i/n)(σ_min^{1/ρ} − σ_max^{1/ρ}))^ρ, i = 0 … n.

    T. Karras et al., "Elucidating the design space of diffusion-based generative models" (NeurIPS
    2022), whose step from the last level to zero is here the final denoising. ρ = 1 is uniform in
    σ; ρ → ∞ is `LogUniformGrid`.

    Raises
    ------
    InvalidInput
        n_steps is no positive integer, ρ not positive; when called, the levels are out of order
        or outside the range of the process.
    """

    n_steps: int
    rho: float = 7.0
    sigma_min: float | None = None
    sigma_max: float | None = None

    def __post_init__(self) -> None:
        check_count(self.n_steps, "n_steps")
        if not 0 < self.rho < float("inf"):
            raise InvalidInput(f"rho must be positive and finite: got {self.rho!r}.")

    def __call__(self, process: Process) -> Tensor:
        low, high = ends(process, self.sigma_min, self.sigma_max)
        fraction = torch.linspace(0, 1, self.n_steps + 1, dtype=torch.float64)
        top, bottom = high ** (1 / self.rho), low ** (1 / self.rho)
        levels = (top + fraction * (bottom - top)) ** self.rho
        return _times(process, levels, self.sigma_min, self.sigma_max)


@dataclass(frozen=True)
class LogUniformGrid:
    """σᵢ = σ_max (σ_min/σ_max)^{i/n}, i = 0 … n: equal steps in ln σ.

    The log signal-to-noise ratio is −2 ln σ for every process, so this is the grid that is uniform
    in it, of C. Lu et al., "DPM-Solver" (NeurIPS 2022), too.

    Raises
    ------
    InvalidInput
        n_steps is no positive integer; when called, the levels are out of order or outside the
        range of the process.
    """

    n_steps: int
    sigma_min: float | None = None
    sigma_max: float | None = None

    def __post_init__(self) -> None:
        check_count(self.n_steps, "n_steps")

    def __call__(self, process: Process) -> Tensor:
        low, high = ends(process, self.sigma_min, self.sigma_max)
        fraction = torch.linspace(0, 1, self.n_steps + 1, dtype=torch.float64)
        levels = high * (low / high) ** fraction
        return _times(process, levels, self.sigma_min, self.sigma_max)


@dataclass(frozen=True)
class TimeUniformGrid:
    """tᵢ = t_max + (i/n)(t_min − t_max), i = 0 … n: equal steps in the process's own time.

    For `VE` that is `LogUniformGrid` and for `EDM` it is uniform in σ; for `VP` it is the grid of
    DDPM and DDIM.

    Raises
    ------
    InvalidInput
        n_steps is no positive integer; when called, the levels are out of order or outside the
        range of the process.
    """

    n_steps: int
    sigma_min: float | None = None
    sigma_max: float | None = None

    def __post_init__(self) -> None:
        check_count(self.n_steps, "n_steps")

    def __call__(self, process: Process) -> Tensor:
        levels = torch.tensor(ends(process, self.sigma_min, self.sigma_max), dtype=torch.float64)
        top, bottom = _times(process, levels.flip(0), self.sigma_min, self.sigma_max)
        fraction = torch.linspace(0, 1, self.n_steps + 1, dtype=torch.float64)
        return torch.lerp(top, bottom, fraction)


@dataclass(frozen=True)
class LevelGrid:
    """Levels σ/α of one's own, σ₀ > σ₁ > … > σ_n; `optimised_grid` makes one for a model.

    Raises
    ------
    InvalidInput
        Fewer than two levels, or levels that are not positive, finite and decreasing; when called,
        levels outside the range of the process.
    """

    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(float(level) for level in self.levels))
        if len(self.levels) < 2:
            raise InvalidInput(f"a grid needs at least two levels: got {len(self.levels)}.")
        for upper, lower in pairwise(self.levels):
            if not 0 < lower < upper < float("inf"):
                raise InvalidInput(
                    "the levels of a grid must be positive, finite and decreasing: got "
                    f"{upper!r} before {lower!r}. Sort them from the largest to the smallest."
                )

    def __call__(self, process: Process) -> Tensor:
        return process.time_of(torch.tensor(self.levels, dtype=torch.float64))


@dataclass(frozen=True)
class LadderGrid:
    """The levels of a `Ladder`, from the highest to the lowest.

    Raises
    ------
    InvalidInput
        When called on another process, which has no levels of its own.
    """

    def __call__(self, process: Process) -> Tensor:
        if not isinstance(process, Ladder):
            raise InvalidInput(
                f"only a Ladder has levels of its own: got {process}. "
                "Pass grid=LogUniformGrid(n_steps) or KarrasGrid(n_steps)."
            )
        return torch.arange(len(process.levels) - 1, -1, -1, dtype=torch.float64)


def ends(
    process: Process, sigma_min: float | None = None, sigma_max: float | None = None
) -> tuple[float, float]:
    """The lowest and the highest noise level σ/α: those given, or else the process's own.

    Raises
    ------
    InvalidInput
        They are not positive, finite and increasing.
    """
    times = torch.tensor([process.t_min, process.t_max], dtype=torch.float64)
    own = process.noise_level(times).tolist()
    low = own[0] if sigma_min is None else float(sigma_min)
    high = own[1] if sigma_max is None else float(sigma_max)
    check_range(low, high)
    return low, high


def _times(
    process: Process, levels: Tensor, sigma_min: float | None, sigma_max: float | None
) -> Tensor:
    """The times of the levels; an end that is the process's own is met exactly."""
    own_ends = slice(int(sigma_max is None), len(levels) - int(sigma_min is None))
    times = torch.empty_like(levels)
    times[0], times[-1] = process.t_max, process.t_min
    inner = levels.clone()
    if sigma_max is not None:
        inner[0] = sigma_max
    if sigma_min is not None:
        inner[-1] = sigma_min
    times[own_ends] = process.time_of(inner[own_ends])
    return times
