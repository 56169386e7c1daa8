"""Tensors of a saved map, checked by name and dtype."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from scorematching.errors import InvalidInput


def take_tensors(
    tensors: Mapping[str, Tensor], what: str, names: tuple[str, ...], *, finite: bool = True
) -> tuple[Tensor, ...]:
    """The named tensors, in that order.

    Raises
    ------
    InvalidInput
        One is missing, there are others, one is not float64, holds NaN, or (if ``finite``) ±inf.
    """
    if set(tensors) != set(names):
        raise InvalidInput(
            f"{what} must have the tensors {', '.join(names)}: got "
            f"{', '.join(sorted(tensors)) or 'none'}."
        )
    found = tuple(tensors[name] for name in names)
    for name, tensor in zip(names, found, strict=True):
        if tensor.dtype != torch.float64:
            raise InvalidInput(f"{name} of {what} must be float64: got {tensor.dtype}.")
        if bool(tensor.isnan().any()) or (finite and bool(tensor.isinf().any())):
            raise InvalidInput(f"{name} of {what} holds values that are not finite.")
    return found
