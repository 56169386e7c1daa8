"""Shapes: rows come first, everything after them is the event.

A batch x has shape ``(n, *event)`` with event rank 0 to 4; a value per row has shape ``(n,)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scorematching.errors import InvalidInput

MAX_EVENT_RANK = 4


def sum_event(x: Tensor) -> Tensor:
    """Sum over everything but the rows: ``(n, *event)`` → ``(n,)``."""
    return x.flatten(1).sum(1) if x.ndim > 1 else x


def event_size(x: Tensor) -> int:
    """Number of coordinates d of one row of x ``(n, *event)``."""
    return math.prod(x.shape[1:])


def per_row(value: Tensor | float, x: Tensor) -> Tensor:
    """Bring a number, or a value per row ``(n,)``, to a shape that broadcasts against x.

    The one broadcasting helper: ``()`` stays ``()``, ``(n,)`` becomes ``(n, 1, …, 1)``. Dtype and
    device follow x.

    Raises
    ------
    InvalidInput
        The value has another shape than ``()`` or ``(n,)``.
    """
    value = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if value.ndim == 0:
        return value
    if value.shape != x.shape[:1]:
        raise InvalidInput(
            f"expected a number or one value per row, shape () or ({x.shape[0]},): "
            f"got shape {tuple(value.shape)} for x of shape {tuple(x.shape)}."
        )
    return value.reshape(-1, *(1,) * (x.ndim - 1))


def check_rows(x: Tensor, name: str = "x") -> Tensor:
    """x itself, if it is a floating batch ``(n, *event)`` of event rank 0 to 4.

    Raises
    ------
    InvalidInput
        x is not a floating-point tensor, or has no row axis, or more than 4 event axes.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = f"dtype {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise InvalidInput(
            f"{name} must be a floating-point tensor of shape (n, *event): got {got}. "
            "Convert it with torch.as_tensor(…, dtype=torch.float64)."
        )
    if not 1 <= x.ndim <= 1 + MAX_EVENT_RANK:
        raise InvalidInput(
            f"{name} must have a row axis and at most {MAX_EVENT_RANK} event axes: "
            f"got shape {tuple(x.shape)}."
        )
    return x


def check_like(value: Tensor, x: Tensor, name: str) -> Tensor:
    """value itself, if it has the shape of x.

    A score that returns ``(n, 1)`` for x ``(n,)`` would broadcast to ``(n, n)`` without a word.

    Raises
    ------
    InvalidInput
        The shapes differ.
    """
    if value.shape != x.shape:
        raise InvalidInput(
            f"{name} must return a tensor shaped like x, {tuple(x.shape)}: "
            f"got {tuple(value.shape)}."
        )
    return value


def positive(value: Tensor | float, name: str, remedy: str = "") -> Tensor:
    """value as a tensor, if every entry is positive and finite.

    Raises
    ------
    InvalidInput
        An entry is not; the message gives the first one and its row.
    """
    tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)
    bad = ~(torch.isfinite(tensor) & (tensor > 0))
    if bool(bad.any()):
        row = int(bad.flatten().nonzero()[0])
        where = f" (row {row})" if tensor.ndim else ""
        got = tensor.flatten()[row].item()
        message = f"{name} must be positive and finite: got {got:g}{where}. {remedy}"
        raise InvalidInput(message.rstrip())
    return tensor
