"""One column of a table: whole numbers or real ones, and its declared bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from scorematching.data.strict import Fields
from scorematching.errors import InvalidInput


class Kind(Enum):
    """Whether a column holds real numbers or whole ones."""

    REAL = "real"
    INTEGER = "integer"


@dataclass(frozen=True)
class Column:
    """One column of a table, with its declared bounds (None: unbounded).

    A real column lies strictly between its bounds, a whole-number one may touch them. A column
    whose value never changed carries it as ``constant``: the model does not see the column, and
    samples are given back with it.
    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    constant: float | None = None

    def __post_init__(self) -> None:
        for what, value in (("low", self.low), ("high", self.high), ("constant", self.constant)):
            if value is not None and not math.isfinite(value):
                raise InvalidInput(f"column {self.name!r}: {what} must be finite, got {value}.")
        if self.low is not None and self.high is not None:
            empty = self.low > self.high if self.kind is Kind.INTEGER else self.low >= self.high
            if empty:
                raise InvalidInput(
                    f"column {self.name!r}: the bounds {self.low:g}:{self.high:g} leave no room. "
                    "Give the lower one first."
                )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "low": self.low,
            "high": self.high,
            "constant": self.constant,
        }

    @classmethod
    def from_json(cls, data: object) -> Column:
        """The inverse of `to_json`; raises InvalidInput at an unknown, missing or odd field."""
        fields = Fields(data, "column", ("name", "kind", "low", "high", "constant"))
        return cls(
            fields.text("name"),
            fields.member("kind", Kind),
            fields.number_or_none("low"),
            fields.number_or_none("high"),
            fields.number_or_none("constant"),
        )
