"""Mixed precision: products in 16 bits, weights and sums in 32.

P. Micikevicius et al., "Mixed precision training", ICLR 2018.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput

FIRST_SCALE = 2.0**16
GROW_AFTER = 2000


class Precision(StrEnum):
    """What matrix products and convolutions of a training step are computed in."""

    FULL = "full"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    @property
    def dtype(self) -> torch.dtype | None:
        """The 16-bit dtype, or None."""
        halves = {Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}
        return halves.get(self)

    @property
    def first_scale(self) -> float:
        """What the loss is multiplied by at first, so that small gradients do not vanish.

        bfloat16 has the range of float32 and needs none.
        """
        return FIRST_SCALE if self is Precision.FLOAT16 else 1.0

    def cast(self, device: torch.device) -> AbstractContextManager[object]:
        """Inside, products on the device are computed in this precision."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(device.type, self.dtype)


def next_scale(scale: float, good: int, *, overflow: bool) -> tuple[float, int]:
    """The loss scale after a step, and the good steps since it last changed.

    Halved where the gradient overflowed, at least 1; doubled after `GROW_AFTER` good steps.
    """
    if overflow:
        return max(1.0, scale / 2), 0
    return (2 * scale, 0) if good + 1 == GROW_AFTER else (scale, good + 1)


def check_precision(precision: Precision, module: nn.Module) -> None:
    """Raise InvalidInput where a module cannot be trained in a precision, saying in which it can.

    Tried out on a small product and convolution on the module's device, forth and back.
    """
    if precision is Precision.FULL:
        return
    parameter = next(module.parameters())
    device = parameter.device
    other = sorted({str(p.dtype) for p in module.parameters()} - {"torch.float32"})
    if other:
        raise InvalidInput(
            f"precision {precision.value} keeps weights in float32 and computes products in 16 "
            f"bits: the module has weights of {', '.join(other)}. Use precision 'full', or convert "
            "it with module.float()."
        )
    failure = _failure(precision, device)
    if failure is not None:
        works = [each.value for each in Precision if _failure(each, device) is None]
        raise InvalidInput(
            f"precision {precision.value} is not possible on {device}: {failure}. "
            f"There {'works' if len(works) == 1 else 'work'} {', '.join(works)}."
        )


def _failure(precision: Precision, device: torch.device) -> str | None:
    """Why a precision is not possible on a device, or None."""
    if precision.dtype is None:
        return None
    on_card = precision is Precision.BFLOAT16 and device.type == "cuda"
    if on_card and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "this card has no bfloat16"
    x = torch.full((2, 4, 4, 4), 0.5, device=device, requires_grad=True)
    weight: Tensor = torch.full((4, 4, 3, 3), 0.5, device=device, requires_grad=True)
    try:
        with torch.enable_grad(), precision.cast(device):
            hidden = nn.functional.conv2d(x, weight, padding=1)
            product = hidden.flatten(1) @ hidden.flatten(1).T
        product.float().sum().backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        return str(error).splitlines()[0].rstrip(".")
    return None if product.dtype is precision.dtype else f"products come out as {product.dtype}"
