"""How `fit` trains a denoiser: what is minimised, and what the best weights are chosen by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.likelihood import flow_log_density
from scorematching.nets import (
    Conditioned,
    Given,
    NoisedBase,
    PreconditionedDenoiser,
    UnitOutputWeight,
    dropped,
)
from scorematching.noise import EDM, DenoiserScore, Process
from scorematching.objectives import Times, Weight, ncsn
from scorematching.random import seeded
from scorematching.shapes import event_size
from scorematching.typing import Trace

VALIDATION_STEPS = 10
N_LEVELS = 10
DRAWS = 256
BATCH = 1024


@dataclass(frozen=True)
class DenoisingLoss:
    """The noise-conditional objective a coordinate, at unit weight on the network's output or λ.

    A batch holds rows and what they are given; some rows, by chance, are told nothing of it.
    """

    process: EDM
    times: Times
    weight: Weight | None = None
    condition_dropout: float = 0.0

    def __call__(
        self, module: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator
    ) -> Tensor:
        denoiser = _preconditioned(module)
        x, given = batch[0], dropped(batch[1:], self.condition_dropout, generator)
        score = DenoiserScore(Conditioned(denoiser, given), self.process)
        weight = self.weight or UnitOutputWeight(denoiser.base.for_rows(*given))
        loss = ncsn(score, x, self.process, weight, generator, times=self.times)
        return loss / event_size(x)


@dataclass(frozen=True)
class FlowValidation:
    """Minus the mean held-out log-density of the preprocessed rows, by a coarse flow."""

    process: EDM
    trace: Trace
    rows: Tensor
    given: Given = ()

    def __call__(self, module: nn.Module) -> float:
        denoiser = _preconditioned(module)
        result = flow_log_density(
            DenoiserScore(Conditioned(denoiser, self.given), self.process),
            self.process,
            self.rows,
            prior=NoisedBase(denoiser.base.for_rows(*self.given), self.process.sigma_max),
            n_steps=VALIDATION_STEPS,
            trace=self.trace,
            step_doubling=False,
        )
        return -result.value.double().mean().item()


@dataclass(frozen=True)
class OneTime:
    """The law of one time for all rows."""

    time: float

    def __call__(
        self, process: Process, n: int, like: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        return like.new_full((n,), self.time)


@dataclass(frozen=True)
class LevelLosses:
    """The objective ½‖F − F*‖² a coordinate at each of some noise levels, on held-out rows.

    ½ is what the Gaussian base alone comes to, on rows of the moments that it was fitted to; what
    lies below is what the network has learnt. The noise is the same at every level and at every
    call, so that neither levels nor steps differ by chance draws.

    Attributes
    ----------
    rows, given
        Preprocessed rows ``(n, *event)``, and what they are given.
    levels
        Noise levels σ; see `spread_levels`.
    draws
        Noise draws a row.
    seed
        Of the noise.
    """

    process: EDM
    rows: Tensor
    given: Given
    levels: tuple[float, ...]
    draws: int = 1
    seed: int = 0

    @classmethod
    def of(cls, process: EDM, rows: tuple[Tensor, ...], seed: int) -> LevelLosses:
        """At ten levels, with as many draws a row as make a few hundred at each.

        rows holds the rows and what they are given.
        """
        draws = max(1, DRAWS // len(rows[0]))
        return cls(process, rows[0], rows[1:], spread_levels(process), draws, seed)

    def __call__(self, module: nn.Module) -> tuple[tuple[float, float], ...]:
        """Pairs (σ, mean loss) of a module in evaluation mode."""
        return tuple(zip(self.levels, self.per_row(module).mean(1).tolist(), strict=True))

    def per_row(self, module: nn.Module) -> Tensor:
        """The loss of each row at each level, the mean over its draws: ``(levels, n)``."""
        with torch.no_grad():
            return torch.stack([self._at(module, level) for level in self.levels])

    def _at(self, module: nn.Module, level: float) -> Tensor:
        loss = DenoisingLoss(self.process, OneTime(level))
        repeated = [each.repeat_interleave(self.draws, 0) for each in (self.rows, *self.given)]
        parts = []
        for first in range(0, len(repeated[0]), BATCH):
            batch = tuple(each[first : first + BATCH] for each in repeated)
            generator = seeded(self.seed, "level losses", first)
            parts.append(loss(module, batch, generator).double().cpu())
        return torch.cat(parts).reshape(-1, self.draws).mean(1)


def spread_levels(process: EDM, n: int = N_LEVELS) -> tuple[float, ...]:
    """n noise levels from σ_min to σ_max, evenly spaced in ln σ."""
    step = math.log(process.sigma_max / process.sigma_min) / (n - 1)
    between = [process.sigma_min * math.exp(k * step) for k in range(1, n - 1)]
    return (process.sigma_min, *between, process.sigma_max)


def _preconditioned(module: nn.Module) -> PreconditionedDenoiser:
    assert isinstance(module, PreconditionedDenoiser)
    return module
