"""Data larger than memory: rows that are read a group at a time, looked through once before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scorematching.data.dataset import Dataset
from scorematching.data.labels import MAX_LABEL_CLASSES, label_of
from scorematching.data.origin import Origin
from scorematching.data.schema import Schema

#: Decoded size of a group of rows, where the source does not say what a group is.
GROUP_BYTES = 32 * 1024**2
#: Largest decoded size of a group.
MAX_GROUP_BYTES = 512 * 1024**2
NOT_LOOKED_FOR = "the rows are streamed: rows that repeat each other are not looked for."


class Groups(Protocol):
    """Where a stream's rows come from."""

    @property
    def name(self) -> str:
        """What messages call the source."""
        ...

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows of each group."""
        ...

    def read(self, group: int, schema: Any, /) -> Dataset:
        """The rows of a group, checked against the schema."""
        ...


@dataclass(frozen=True, eq=False)
class Stream:
    """Rows in the data's own units, read a group at a time: a `Dataset` too large for memory.

    Attributes
    ----------
    groups
        Where the rows come from.
    schema
        How to give rows back in the input's form; ``schema.event`` is the event shape.
    class_counts
        The number of rows of each of ``schema.label.classes``; None without a label.
    digest
        SHA-256 of all values and labels, in order.
    notes
        What a user should know, as in a `Dataset`.
    """

    groups: Groups
    schema: Schema
    class_counts: tuple[int, ...] | None
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows of each group."""
        return self.groups.sizes

    @property
    def n(self) -> int:
        """Number of rows."""
        return sum(self.sizes)

    @property
    def decoded_bytes(self) -> int:
        """What all rows would take in memory as float64."""
        return 8 * self.n * int(np.prod(self.schema.event, dtype=np.int64))

    def read(self, group: int) -> Dataset:
        """The rows of a group.

        Raises
        ------
        DataError
            The source has changed, or cannot be read any more.
        """
        return self.groups.read(group, self.schema)


@dataclass
class Survey:
    """What is found out about rows on the way through them, group by group.

    Attributes
    ----------
    n
        Rows so far.
    low, high
        The smallest and the largest value of each coordinate.
    whole, counting
        Whether all its values are whole, and each is one more than the one before.
    counts
        Rows of each class.
    """

    n: int = 0
    low: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    high: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    whole: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    counting: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    counts: Counter[str] = field(default_factory=Counter)
    _last: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _values: Any = field(default_factory=sha256)
    _labels: Any = field(default_factory=sha256)

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in the rows ``(m, *event)`` that come next."""
        if not len(values):
            return
        self._values.update(np.ascontiguousarray(values).tobytes())
        low, high = values.min(0), values.max(0)
        whole = (values == np.floor(values)).all(0)
        counting = (np.diff(values, axis=0) == 1).all(0)
        if self.n:
            low, high = np.minimum(low, self.low), np.maximum(high, self.high)
            whole = whole & self.whole
            counting = counting & self.counting & (values[0] - self._last == 1)
        self.low, self.high, self.whole, self.counting = low, high, whole, counting
        self._last = values[-1].copy()
        self.n += len(values)

    def add_labels(self, name: str, texts: Iterable[str], origin: Origin) -> None:
        """Take in the classes of the same rows.

        Raises
        ------
        DataError
            There are more classes than any label may have.
        """
        found = list(texts)
        self._labels.update("\x1f".join([*found, ""]).encode())
        self.counts.update(found)
        if len(self.counts) > MAX_LABEL_CLASSES:
            label_of(name, self.counts, origin)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which coordinates never change."""
        return np.asarray(self.low == self.high)

    def digest(self) -> str:
        """SHA-256 of all that was taken in, however it was cut into groups."""
        return sha256(self._values.digest() + self._labels.digest()).hexdigest()
