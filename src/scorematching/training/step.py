"""One optimiser step, whose noise and dropout are functions of the seed and the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.random import forked, seeded
from scorematching.training.precision import next_scale
from scorematching.training.processes import ALONE
from scorematching.training.run import Run
from scorematching.training.schedule import warmup_cosine
from scorematching.training.settings import TrainingSettings
from scorematching.training.sharing import Sharing


class Loss(Protocol):
    """Per-row losses ``(B,)`` of a module on a batch, noise drawn from the generator."""

    def __call__(
        self, module: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator, /
    ) -> Tensor: ...


@dataclass(frozen=True)
class Outcome:
    """Learning rate, mean loss and gradient norm of a step, and why it was skipped if it was.

    It overflowed where the loss times its scale had gradients beyond float16, and the scale was
    lowered for it: nothing is wrong with the batch.
    """

    learning_rate: float
    loss: float
    gradient_norm: float
    problem: str | None
    overflow: bool = False


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


def take_step(
    run: Run,
    loss: Loss,
    batch: tuple[Tensor, ...],
    numbers: Tensor,
    sharing: Sharing | None = None,
) -> Outcome:
    """Train on a batch, or leave everything as it is if its loss or gradient is not finite.

    Parameters
    ----------
    batch
        Rows, and what belongs to them, ``(B, …)`` each.
    numbers
        The numbers of the rows in the data, ``(B,)``, for messages.
    sharing
        How several processes share the batch.

    Raises
    ------
    InvalidInput
        The loss returns another shape than ``(B,)``, or does not depend on the module.
    """
    settings, counters = run.settings, run.counters
    groups = run.optimizer.param_groups
    parameters: list[Tensor] = [each for group in groups for each in group["params"]]
    device = parameters[0].device
    batch = tuple(each.to(device) for each in batch)
    sharing = sharing or Sharing(ALONE)
    scale = counters.loss_scale
    if not run.module.training:  # someone who read the last record may have evaluated it
        run.module.train()
    with (
        forked(settings.seed, "dropout", counters.step),
        torch.enable_grad(),
        sharing.of(len(numbers)) as mine,
    ):
        with settings.precision.cast(device):
            losses = loss(run.module, batch, seeded(settings.seed, "noise", counters.step))
        _check(losses, numbers)
        # Over all rows of the batch, so that the shares of several processes add up to it.
        mean = losses.mean() if sharing.processes.alone else losses[mine].sum() / len(losses)
        (mean if scale == 1 else mean * scale).backward()  # type: ignore[no-untyped-call]
    mean = mean.detach()
    gradients = _added(parameters, mean, sharing)
    if scale != 1:
        torch._foreach_mul_(gradients, 1 / scale)
    norm = nn.utils.get_total_norm(gradients, foreach=True)
    # Together, because each wait for an accelerator costs as much as a small step.
    value, length = torch.stack([mean, norm.to(mean.dtype)]).tolist()
    finite = math.isfinite(value + length)
    overflow = not finite and math.isfinite(value) and scale > 1
    problem = None if finite or overflow else _problem(losses, numbers, mine, sharing)
    rate = settings.learning_rate * warmup_cosine(
        counters.step, settings.warmup_steps, run.steps_in_all
    )
    if finite:
        if length > settings.clip_norm:
            torch._foreach_mul_(gradients, settings.clip_norm / length)
        for group in groups:
            group["lr"] = rate
        run.optimizer.step()
        run.averaged.update_parameters(run.module)
    else:
        _restore_buffers(run)
    if settings.precision.first_scale != 1 and problem is None:
        counters.loss_scale, counters.good_steps = next_scale(
            scale, counters.good_steps, overflow=overflow
        )
    run.optimizer.zero_grad(set_to_none=True)
    return Outcome(rate, value, length, problem, overflow)


def _check(losses: Tensor, numbers: Tensor) -> None:
    if losses.shape != numbers.shape:
        raise InvalidInput(
            f"the loss must return one number per row, shape {tuple(numbers.shape)}: "
            f"got {tuple(losses.shape)}."
        )
    if not losses.requires_grad:
        raise InvalidInput("the loss does not depend on any trainable parameter of the module.")


def _added(parameters: list[Tensor], mean: Tensor, sharing: Sharing) -> list[Tensor]:
    """The gradients, with the loss ``()`` added up over the processes in place."""
    if not sharing.processes.alone:
        used = mean.new_tensor([float(each.grad is not None) for each in parameters])
        for each in parameters:
            if each.grad is None:
                each.grad = torch.zeros_like(each)
        sums = [*(each.grad for each in parameters if each.grad is not None), mean, used]
        sharing.processes.add(sums)
        for each, count in zip(parameters, used.tolist(), strict=True):
            if count == 0:  # a parameter that no process used is left alone, as in one process
                each.grad = None
    return [each.grad for each in parameters if each.grad is not None]


def _restore_buffers(run: Run) -> None:
    """Undo what a bad batch did to running statistics: the averaged copy has the last good ones."""
    with torch.no_grad():
        for ours, good in zip(run.module.buffers(), run.averaged.module.buffers(), strict=True):
            ours.copy_(good)


def _problem(losses: Tensor, numbers: Tensor, mine: slice, sharing: Sharing) -> str:
    ours = (~torch.isfinite(losses.detach()[mine])).tolist()
    flags = [0] * mine.start + ours + [0] * (len(losses) - mine.stop)
    found = torch.tensor(sharing.processes.largest(flags), dtype=torch.bool)
    bad = numbers[found].tolist()
    if not bad:
        return "the gradient is not finite, though every row's loss is"
    named = ", ".join(map(str, bad[:8])) + (", …" if len(bad) > 8 else "")
    return f"the loss is not finite at {len(bad)} of {len(numbers)} rows: {named}"
