"""Centring and scaling, coordinate by coordinate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scorematching.data.saved import take_tensors
from scorematching.data.strict import Fields
from scorematching.errors import InvalidInput
from scorematching.shapes import sum_event


@dataclass(frozen=True, eq=False)
class Standardise:
    """y = (x − mean) / scale.

    Attributes
    ----------
    mean, scale
        float64, of the event's shape or one that broadcasts against it; scale > 0.
    """

    mean: Tensor
    scale: Tensor

    def __post_init__(self) -> None:
        if not bool((torch.isfinite(self.scale) & (self.scale > 0)).all()):
            raise InvalidInput("scale must be positive and finite in every coordinate.")
        if not bool(torch.isfinite(self.mean).all()):
            raise InvalidInput("mean must be finite in every coordinate.")

    def forward(self, x: Tensor) -> Tensor:
        """(x − mean) / scale, shaped like x ``(n, *event)``."""
        return (x - self.mean) / self.scale

    def inverse(self, y: Tensor) -> Tensor:
        """mean + scale · y, shaped like y."""
        return self.mean + self.scale * y

    def log_abs_det_jacobian(self, x: Tensor) -> Tensor:
        """−Σ log scale over the coordinates, ``(n,)`` in nats."""
        return -sum_event(self.scale.log().to(x).expand_as(x))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"type": "standardise"}

    def tensors(self) -> dict[str, Tensor]:
        """mean and scale."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_json(cls, data: object, tensors: Mapping[str, Tensor]) -> Standardise:
        """The inverse of `to_json` and `tensors`; raises InvalidInput at anything odd."""
        Fields(data, "transform", ("type",)).constant("type", "standardise")
        mean, scale = take_tensors(tensors, "standardise", ("mean", "scale"))
        return cls(mean, scale)


def standardise(rows: Tensor, *, shared_axes: tuple[int, ...] = ()) -> Standardise:
    """The means and standard deviations (divisor n) of rows ``(n, *event)``.

    Computed in float64 on deviations divided by the largest of them, so that no square over- or
    underflows at scales of 1e±12 or far beyond. A constant coordinate keeps scale 1.

    Parameters
    ----------
    rows
        ``(n, *event)``.
    shared_axes
        Axes of rows, other than 0, over which one mean and scale are shared: ``(2, 3)`` gives
        images one pair a channel.
    """
    rows = rows.to(torch.float64)
    axes = (0, *shared_axes)
    centred = rows - rows.mean(axes, keepdim=True)
    # A second pass takes out what rounding left of the mean when |mean| is far above the spread.
    mean = rows.mean(axes, keepdim=True) + centred.mean(axes, keepdim=True)
    centred = rows - mean
    largest = centred.abs().amax(axes, keepdim=True)
    constant = (rows == rows[:1]).all(0, keepdim=True)
    constant = constant.all(shared_axes, keepdim=True) if shared_axes else constant
    unit = torch.where(constant | (largest == 0), torch.ones_like(largest), largest)
    scale = unit * (centred / unit).square().mean(axes, keepdim=True).sqrt()
    return Standardise(mean[0], torch.where(unit == largest, scale, torch.ones_like(scale))[0])
