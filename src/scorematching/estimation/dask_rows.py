"""Rows of Dask arrays and frames, one block at a time; Dask is an optional extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.estimation.rows import as_rows


def is_dask(x: object) -> bool:
    """Whether x is a Dask collection; does not import Dask."""
    return type(x).__module__.partition(".")[0] in ("dask", "dask_expr")


@dataclass(frozen=True, eq=False)
class DaskRows:
    """The rows of a Dask array ``(n, d)`` or frame; `estimate` makes one by itself.

    Blocks of rows are computed one after the other, each by whatever scheduler Dask is set to, and
    summed here: memory goes with one block. A block must fit into memory.

    Parameters
    ----------
    collection
        ``dask.array.Array``, of unknown length as well, or ``dask.dataframe.DataFrame``.

    Raises
    ------
    InvalidInput
        Dask is not installed, or collection is neither.
    """

    collection: Any

    def __post_init__(self) -> None:
        if importlib.util.find_spec("dask") is None:
            raise InvalidInput(
                "rows of Dask need Dask, which is not installed: pip install 'scorematching[dask]'."
            )
        array = is_dask(self.collection) and hasattr(self.collection, "rechunk")
        if not array and not (is_dask(self.collection) and self._is_frame):
            raise InvalidInput(
                "expected a Dask array or data frame: got "
                f"{type(self.collection).__module__}.{type(self.collection).__name__}. Make a "
                "frame of a series with to_frame(); pass what is in memory as it is."
            )

    def __str__(self) -> str:
        return f"the Dask {type(self.collection).__name__}"

    @property
    def _is_frame(self) -> bool:
        return hasattr(self.collection, "columns") and self.collection.ndim == 2

    def portions(self, d: int) -> Iterator[Tensor]:
        """The rows, ``(m, d)`` at a time, in float64; empty blocks are passed over.

        Raises
        ------
        InvalidInput
            There are other than d columns, or a block does not hold real numbers.
        """
        for block in self._blocks(d):
            computed = block.compute()
            if len(computed):
                yield as_rows(np.asarray(computed), d, at_least=1)

    def _blocks(self, d: int) -> Iterator[Any]:
        if self._is_frame:
            if len(self.collection.columns) != d:
                raise InvalidInput(
                    f"expected rows of {d} columns: got {list(self.collection.columns)}. Choose "
                    "with frame[[…]]."
                )
            yield from (self.collection.partitions[k] for k in range(self.collection.npartitions))
            return
        array = self.collection
        whole = array.rechunk({1: -1}) if array.ndim == 2 and array.numblocks[1] > 1 else array
        yield from (whole.blocks[k] for k in range(whole.numblocks[0]))
