"""Declared bounds opened to the whole line by a logarithm or a logit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scorematching.data.saved import take_tensors
from scorematching.data.schema import Kind, TableSchema
from scorematching.data.strict import Fields
from scorematching.errors import InvalidInput
from scorematching.shapes import sum_event


@dataclass(frozen=True, eq=False)
class Bounds:
    """Each coordinate from its interval (low, high) to ℝ, increasing.

    y = x on (−∞, ∞); log(x − low) on (low, ∞); −log(high − x) on (−∞, high);
    log(x − low) − log(high − x) on (low, high).

    Attributes
    ----------
    low, high
        float64, of the event's shape; −∞ and ∞ where there is no bound.
    """

    low: Tensor
    high: Tensor

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape or not bool((self.low < self.high).all()):
            raise InvalidInput("low and high must have one shape, and low < high everywhere.")

    def _gaps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x − low and high − x, 1 where there is no bound (so that its logarithm is 0).

        Raises
        ------
        InvalidInput
            A value is not strictly inside.
        """
        one = torch.ones_like(x)
        below = torch.where(torch.isinf(self.low), one, x - self.low)
        above = torch.where(torch.isinf(self.high), one, self.high - x)
        # Written so that NaN counts as outside.
        inside = (below > 0) & (above > 0)
        if not bool(inside.all()):
            index = [int(i) for i in (~inside).nonzero()[0]]
            low, high = (float(bound[tuple(index[1:])]) for bound in (self.low, self.high))
            where = f"row {index[0]}" + (f", coordinate {index[1:]}" if index[1:] else "")
            raise InvalidInput(
                f"values must lie strictly between {low:g} and {high:g}: got "
                f"{float(x[tuple(index)]):.12g} ({where}). Mend the row, or declare wider bounds."
            )
        return below, above

    def forward(self, x: Tensor) -> Tensor:
        """y = f(x), shaped like x ``(n, *event)``; raises InvalidInput outside the bounds."""
        below, above = self._gaps(x)
        free = torch.isinf(self.low) & torch.isinf(self.high)
        return torch.where(free, x, below.log() - above.log())

    def inverse(self, y: Tensor) -> Tensor:
        """x = f⁻¹(y), shaped like y."""
        has_low, has_high = ~torch.isinf(self.low), ~torch.isinf(self.high)
        zero = torch.zeros_like(self.low)
        low = torch.where(has_low, self.low, zero)
        high = torch.where(has_high, self.high, zero)
        both = has_low & has_high
        width = torch.where(both, high - low, torch.ones_like(zero))
        # From the nearer bound, so that x does not round onto the other one.
        logit = torch.where(y > 0, high - width * torch.sigmoid(-y), low + width * torch.sigmoid(y))
        from_low = low + torch.where(has_low & ~both, y, torch.zeros_like(y)).exp()
        from_high = high - torch.where(has_high & ~both, -y, torch.zeros_like(y)).exp()
        one_sided = torch.where(has_low, from_low, torch.where(has_high, from_high, y))
        return torch.where(both, logit, one_sided)

    def log_abs_det_jacobian(self, x: Tensor) -> Tensor:
        """Σ log ∂y/∂x, ``(n,)`` in nats; raises InvalidInput outside the bounds.

        ∂y/∂x = 1/(x − low), 1/(high − x), or (high − low)/((x − low)(high − x)).
        """
        below, above = self._gaps(x)
        both = torch.isfinite(self.low) & torch.isfinite(self.high)
        width = torch.where(both, self.high - self.low, torch.ones_like(self.low))
        return sum_event(width.log() - below.log() - above.log())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"type": "bounds"}

    def tensors(self) -> dict[str, Tensor]:
        """low and high."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, data: object, tensors: Mapping[str, Tensor]) -> Bounds:
        """The inverse of `to_json` and `tensors`; raises InvalidInput at anything odd."""
        Fields(data, "transform", ("type",)).constant("type", "bounds")
        low, high = take_tensors(tensors, "bounds", ("low", "high"), finite=False)
        return cls(low, high)


def bounds_of(schema: TableSchema) -> Bounds | None:
    """The declared bounds of the modelled columns, or None if there are none.

    Whole numbers may touch their bounds: after `dequantise` they lie within ±½ of them.
    """
    columns = schema.modelled
    if all(column.low is None and column.high is None for column in columns):
        return None
    half = torch.tensor([0.5 if column.kind is Kind.INTEGER else 0.0 for column in columns])
    infinity = float("inf")
    low = [-infinity if column.low is None else column.low for column in columns]
    high = [infinity if column.high is None else column.high for column in columns]
    half = half.to(torch.float64)
    return Bounds(
        torch.tensor(low, dtype=torch.float64) - half,
        torch.tensor(high, dtype=torch.float64) + half,
    )
