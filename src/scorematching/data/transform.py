"""Invertible maps of rows to what a network likes to see, with their Jacobians.

Each map y = f(x) works on rows ``(n, *event)`` in float64 and gives log|det ∂f/∂x| per row in
nats, so that log p_x(x) = log p_y(f(x)) + log|det ∂f/∂x|.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from scorematching.data.bounded import Bounds, bounds_of
from scorematching.data.dequantise import dequantise
from scorematching.data.standardise import Standardise, standardise
from scorematching.data.strict import Fields
from scorematching.data.whiten import Whiten, whiten
from scorematching.errors import InvalidInput

MAX_PARTS = 16


class Transform(Protocol):
    """What every map can do; nothing has to subclass it."""

    def forward(self, x: Tensor) -> Tensor:
        """y = f(x), shaped like x ``(n, *event)``."""
        ...

    def inverse(self, y: Tensor) -> Tensor:
        """x = f⁻¹(y), shaped like y."""
        ...

    def log_abs_det_jacobian(self, x: Tensor) -> Tensor:
        """log|det ∂f/∂x|, ``(n,)`` in nats."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All that is no tensor, as plain JSON."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """The tensors, by name."""
        ...


@dataclass(frozen=True)
class Compose:
    """The parts one after the other, the first one first; without parts the identity."""

    parts: tuple[Transform, ...]

    def forward(self, x: Tensor) -> Tensor:
        """f_k(… f₁(x)), shaped like x ``(n, *event)``."""
        for part in self.parts:
            x = part.forward(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """f₁⁻¹(… f_k⁻¹(y)), shaped like y."""
        for part in reversed(self.parts):
            y = part.inverse(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor) -> Tensor:
        """Σ log|det ∂f_i/∂x_i| at x_i = f_{i−1}(… f₁(x)), ``(n,)`` in nats."""
        total = torch.zeros(x.shape[:1], dtype=x.dtype, device=x.device)
        for part in self.parts:
            total = total + part.log_abs_det_jacobian(x)
            x = part.forward(x)
        return total

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"type": "compose", "parts": [part.to_json() for part in self.parts]}

    def tensors(self) -> dict[str, Tensor]:
        """The parts' tensors, their names after the part's number: ``"0.mean"``."""
        return {
            f"{number}.{name}": tensor
            for number, part in enumerate(self.parts)
            for name, tensor in part.tensors().items()
        }

    @classmethod
    def from_json(cls, data: object, tensors: Mapping[str, Tensor]) -> Compose:
        """The inverse of `to_json` and `tensors`; raises InvalidInput at anything odd."""
        fields = Fields(data, "transform", ("type", "parts"))
        fields.constant("type", "compose")
        items = fields.items("parts", MAX_PARTS)
        numbers = {str(number) for number in range(len(items))}
        stray = sorted(name for name in tensors if name.partition(".")[0] not in numbers)
        if stray:
            raise InvalidInput(f"there are tensors of no part: {', '.join(stray)}.")
        return cls(
            tuple(
                transform_from_json(item, _under(tensors, f"{number}."))
                for number, item in enumerate(items)
            )
        )


def transform_from_json(data: object, tensors: Mapping[str, Tensor]) -> Transform:
    """Any of the maps, told apart by its ``type``.

    Raises
    ------
    InvalidInput
        The type is unknown, a field or tensor is unknown, missing or odd.
    """
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "standardise":
        return Standardise.from_json(data, tensors)
    if kind == "whiten":
        return Whiten.from_json(data, tensors)
    if kind == "bounds":
        return Bounds.from_json(data, tensors)
    if kind == "compose":
        return Compose.from_json(data, tensors)
    raise InvalidInput(
        f"a transform's type must be standardise, whiten, bounds or compose: got {kind!r}."
    )


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


__all__ = [
    "Bounds",
    "Compose",
    "Standardise",
    "Transform",
    "Whiten",
    "bounds_of",
    "dequantise",
    "standardise",
    "transform_from_json",
    "whiten",
]
