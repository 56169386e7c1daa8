"""What every reader returns: rows of float64 values and the schema that gives them back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scorematching.data.schema import Schema
from scorematching.errors import InvalidInput

#: Largest size of the decoded values that a reader accepts unless told otherwise.
MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows in the data's own units.

    Attributes
    ----------
    values
        float64 ``(n, *event)``, finite.
    schema
        How to give rows back in the input's form; ``schema.event`` is the event shape.
    labels
        int64 ``(n,)``, indices into ``schema.label.classes``; None without a label.
    notes
        What a user should know: duplicates counted, constant columns set aside, and so on.
    condition
        float64 ``(n, k)``, finite: what is given of each row, in its own units, the columns of
        ``schema.condition``; None without any.
    """

    values: NDArray[np.float64]
    schema: Schema
    labels: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    condition: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.values.dtype != np.float64 or self.values.shape[1:] != self.schema.event:
            raise InvalidInput(
                f"values must be float64 of shape (n, {', '.join(map(str, self.schema.event))}): "
                f"got {self.values.dtype} of shape {self.values.shape}."
            )
        if (self.labels is None) != (self.schema.label is None):
            raise InvalidInput("labels and the schema's label must be given together.")
        if self.labels is not None and self.labels.shape != self.values.shape[:1]:
            raise InvalidInput(
                f"labels must be one per row, shape ({len(self.values)},): "
                f"got shape {self.labels.shape}."
            )
        if (self.condition is None) != (not self.schema.condition):
            raise InvalidInput("a condition and the schema's condition must be given together.")
        shape = (len(self.values), len(self.schema.condition))
        if self.condition is not None and self.condition.shape != shape:
            raise InvalidInput(
                f"the condition must have shape {shape}: got {self.condition.shape}."
            )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values)

    def with_notes(self, *notes: str) -> Dataset:
        """The same rows with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def count_duplicates(
    values: NDArray[np.float64],
    labels: NDArray[np.int64] | None = None,
    condition: NDArray[np.float64] | None = None,
) -> int:
    """Number of rows that repeat an earlier row exactly, with all that is given of it."""
    rows = np.ascontiguousarray(values.reshape(len(values), -1)) + 0.0  # -0.0 becomes 0.0
    more = [each for each in (labels, condition) if each is not None]
    if more:
        rows = np.column_stack([rows, *more])
    return len(rows) - len({row.tobytes() for row in rows})


def duplicate_notes(
    values: NDArray[np.float64],
    labels: NDArray[np.int64] | None = None,
    condition: NDArray[np.float64] | None = None,
) -> tuple[str, ...]:
    """A warning if rows repeat: copies pull the score towards them as σ → 0."""
    repeats = count_duplicates(values, labels, condition)
    if not repeats:
        return ()
    return (
        f"{repeats} of {len(values)} rows repeat an earlier row exactly: as σ → 0 a score model "
        "memorises repeated rows. Remove the repeats unless they are true repetitions.",
    )
