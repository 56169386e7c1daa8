"""How `fit` trains a denoiser: what is minimised, and what the best weights are chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.likelihood import flow_log_density
from scorematching.nets import ForClasses, NoisedBase, PreconditionedDenoiser, UnitOutputWeight
from scorematching.noise import EDM, DenoiserScore
from scorematching.objectives import LogNormalTimes, ncsn
from scorematching.shapes import event_size
from scorematching.typing import Trace

VALIDATION_STEPS = 10


@dataclass(frozen=True)
class DenoisingLoss:
    """The noise-conditional objective with unit weight on the network's output, a coordinate."""

    process: EDM
    times: LogNormalTimes

    def __call__(
        self, module: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator
    ) -> Tensor:
        denoiser = _preconditioned(module)
        x = batch[0]
        conditional = denoiser if len(batch) == 1 else ForClasses(denoiser, batch[1])
        score = DenoiserScore(conditional, self.process)
        weight = UnitOutputWeight(denoiser.base)
        loss = ncsn(score, x, self.process, weight, generator, times=self.times)
        return loss / event_size(x)


@dataclass(frozen=True)
class FlowValidation:
    """Minus the mean held-out log-density of the preprocessed rows, by a coarse flow."""

    process: EDM
    trace: Trace
    rows: Tensor
    classes: Tensor | None = None

    def __call__(self, module: nn.Module) -> float:
        denoiser = _preconditioned(module)
        conditional = denoiser if self.classes is None else ForClasses(denoiser, self.classes)
        result = flow_log_density(
            DenoiserScore(conditional, self.process),
            self.process,
            self.rows,
            prior=NoisedBase(denoiser.base, self.process.sigma_max),
            n_steps=VALIDATION_STEPS,
            trace=self.trace,
            step_doubling=False,
        )
        return -result.value.double().mean().item()


def _preconditioned(module: nn.Module) -> PreconditionedDenoiser:
    assert isinstance(module, PreconditionedDenoiser)
    return module
