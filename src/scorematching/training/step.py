"""One optimiser step, whose noise and dropout are functions of the seed and the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.random import forked, seeded
from scorematching.training.checkpoint import Run
from scorematching.training.schedule import warmup_cosine
from scorematching.training.settings import TrainingSettings


class Loss(Protocol):
    """Per-row losses ``(B,)`` of a module on a batch, noise drawn from the generator."""

    def __call__(
        self, module: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator, /
    ) -> Tensor: ...


@dataclass(frozen=True)
class Outcome:
    """Learning rate, mean loss and gradient norm of a step, and why it was skipped if it was."""

    learning_rate: float
    loss: float
    gradient_norm: float
    problem: str | None


def adamw(module: nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; those with fewer than two axes do not decay.

    Raises
    ------
    InvalidInput
        The module has nothing to train.
    """
    trainable = [each for each in module.parameters() if each.requires_grad]
    if not trainable:
        raise InvalidInput("the module has no parameter that requires a gradient.")
    matrices = [each for each in trainable if each.ndim >= 2]
    vectors = [each for each in trainable if each.ndim < 2]
    groups = [
        {"params": params, "weight_decay": decay}
        for params, decay in ((matrices, settings.weight_decay), (vectors, 0.0))
        if params
    ]
    # The fused kernel is elementwise, so equal from run to run, and the fastest on the CPU too.
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def take_step(run: Run, loss: Loss, rows: tuple[Tensor, ...], indices: Tensor) -> Outcome:
    """Train on the rows of the given numbers, or leave everything as it is if not finite.

    Raises
    ------
    InvalidInput
        The loss returns another shape than ``(B,)``, or does not depend on the module.
    """
    settings, step = run.settings, run.counters.step
    groups = run.optimizer.param_groups
    parameters = [each for group in groups for each in group["params"]]
    device = parameters[0].device
    batch = tuple(each.index_select(0, indices.to(each.device)).to(device) for each in rows)
    if not run.module.training:  # someone who read the last record may have evaluated it
        run.module.train()
    with forked(settings.seed, "dropout", step), torch.enable_grad():
        losses = loss(run.module, batch, seeded(settings.seed, "noise", step))
        if losses.shape != indices.shape:
            raise InvalidInput(
                f"the loss must return one number per row, shape {tuple(indices.shape)}: "
                f"got {tuple(losses.shape)}."
            )
        if not losses.requires_grad:
            raise InvalidInput("the loss does not depend on any trainable parameter of the module.")
        mean = losses.mean()
        mean.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(parameters, settings.clip_norm, foreach=True)
    # Together, because each wait for an accelerator costs as much as a small step.
    value, length = torch.stack([mean.detach(), norm.to(mean.dtype)]).tolist()
    problem = None if math.isfinite(value + length) else _problem(losses, indices)
    rate = settings.learning_rate * warmup_cosine(step, settings.warmup_steps, run.steps_in_all)
    if problem is None:
        for group in groups:
            group["lr"] = rate
        run.optimizer.step()
        run.averaged.update_parameters(run.module)
    else:
        _restore_buffers(run)
    run.optimizer.zero_grad(set_to_none=True)
    return Outcome(rate, value, length, problem)


def _restore_buffers(run: Run) -> None:
    """Undo what a bad batch did to running statistics: the averaged copy has the last good ones."""
    with torch.no_grad():
        for ours, good in zip(run.module.buffers(), run.averaged.module.buffers(), strict=True):
            ours.copy_(good)


def _problem(losses: Tensor, indices: Tensor) -> str:
    bad = indices[~torch.isfinite(losses.detach()).cpu()].tolist()
    if not bad:
        return "the gradient is not finite, though every row's loss is"
    named = ", ".join(map(str, bad[:8])) + (", …" if len(bad) > 8 else "")
    return f"the loss is not finite at {len(bad)} of {len(indices)} rows: {named}"
