"""What rows that need not fit into memory are: a source of portions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.estimation.chunks import Chunks
from scorematching.estimation.dask_rows import DaskRows, is_dask
from scorematching.estimation.rows import as_rows


@runtime_checkable
class Portions(Protocol):
    """Rows that need not fit into memory: `Chunks`, `DaskRows`, `Shard`, or a class of one's own.

    A source that cannot be read twice gives no standard errors: ask for covariance=None.
    """

    def portions(self, d: int, /) -> Iterator[Tensor]:
        """The rows ``(m, d)`` at a time, in float64, from the first on at each call."""


def as_source(x: Any) -> Portions | None:
    """x as rows in portions if it is a file's path, a Dask collection or `Portions`; else None."""
    if isinstance(x, str | os.PathLike):
        return Chunks(Path(x))
    return DaskRows(x) if is_dask(x) else x if isinstance(x, Portions) else None


def as_portions(x: Any, d: int) -> Iterator[Tensor]:
    """The rows of anything that `estimate` takes."""
    source = as_source(x)
    return iter([as_rows(x, d, at_least=1)]) if source is None else source.portions(d)


def counted(rows: Iterable[Tensor], n: int) -> Iterator[Tensor]:
    """The rows; InvalidInput unless there are n of them."""
    seen = 0
    for portion in rows:
        seen += len(portion)
        yield portion
    if seen != n:
        raise InvalidInput(
            f"the second pass must read the same rows: got {seen} of {n}. Pass a source that can "
            "be read again, or ask for the estimate alone (covariance=None)."
        )
