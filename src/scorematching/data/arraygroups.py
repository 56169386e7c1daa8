"""Slices of NPY files, one after the other, as the groups of a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorematching.data.arrays import (
    check_cells,
    check_numeric,
    constant_notes,
    from_array,
    interpret,
)
from scorematching.data.dataset import Dataset
from scorematching.data.npfiles import read_header
from scorematching.data.origin import Origin, fault, regular_file
from scorematching.data.schema import MAX_EVENT_RANK, ArraySchema, ImageSchema
from scorematching.data.streams import GROUP_BYTES, MAX_GROUP_BYTES, NOT_LOOKED_FOR, Stream, Survey

CELL = 8  # bytes of a decoded number


@dataclass(frozen=True)
class Slice:
    """Rows of a file: the byte at which they begin, the number of the first, how many."""

    path: Path
    offset: int
    first: int
    rows: int


@dataclass(frozen=True)
class ArrayGroups:
    """Slices of NPY files whose rows have one shape and dtype.

    Attributes
    ----------
    name
        What messages call them.
    slices
        The groups.
    event
        The shape of a row in the files.
    dtype
        That of the files.
    """

    name: str
    slices: tuple[Slice, ...]
    event: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows of each group."""
        return tuple(each.rows for each in self.slices)

    @property
    def decoded_bytes(self) -> int:
        """What all rows would take in memory as float64."""
        return CELL * sum(self.sizes) * math.prod(self.event)

    @classmethod
    def of(cls, source: Path, files: Sequence[Path]) -> ArrayGroups:
        """Those of files, in order; only the headers are read.

        Raises
        ------
        DataError
            A file is damaged or cannot be read row by row, or the files differ in shape or dtype.
        """
        slices: list[Slice] = []
        event, dtype = _header(files[0])[:2]
        row_bytes = CELL * math.prod(event)
        if row_bytes > MAX_GROUP_BYTES:
            raise fault(
                files[0], f"a row of shape {event} is larger than {MAX_GROUP_BYTES:,} bytes."
            )
        step = max(1, GROUP_BYTES // row_bytes)
        for file in files:
            found, kind, rows, offset = _header(file)
            if (found, kind) != (event, dtype):
                raise fault(
                    file,
                    f"rows of shape {found} and dtype {kind}, but {files[0]} has {event} and "
                    f"{dtype}. All files must agree.",
                )
            size = dtype.itemsize * math.prod(event)
            slices += [
                Slice(file, offset + first * size, first, min(step, rows - first))
                for first in range(0, rows, step)
            ]
        return cls(str(source), tuple(slices), event, dtype)

    def read(self, group: int, schema: ArraySchema | ImageSchema) -> Dataset:
        """The rows of a group, checked against the schema."""
        return from_array(self._array(group), like=schema, origin=self._origin(group))

    def surveyed(self) -> Stream:
        """The stream, after one pass over all groups.

        Raises
        ------
        DataError
            As `from_array`, but for repeated rows.
        """
        survey, origin = Survey(), Origin(self.name)
        schema: ArraySchema | ImageSchema | None = None
        for group in range(len(self.slices)):
            array, place = self._array(group), self._origin(group)
            check_cells(array, place)
            values, schema = interpret(array, place)
            survey.add(values)
        if schema is None or survey.n < 2:
            raise origin.error(f"{survey.n} rows: a density needs two rows or more.")
        ends = np.stack([survey.low, survey.high])
        notes = (NOT_LOOKED_FOR, *constant_notes(ends, schema, origin))
        return Stream(self, schema, None, survey.digest(), notes)

    def _array(self, group: int) -> NDArray[Any]:
        each = self.slices[group]
        count = each.rows * math.prod(self.event)
        try:
            with each.path.open("rb") as file:
                file.seek(each.offset)
                content = file.read(count * self.dtype.itemsize)
        except OSError as error:
            raise fault(each.path, f"cannot be read: {error.strerror}.") from error
        if len(content) < count * self.dtype.itemsize:
            raise fault(each.path, "damaged: it holds fewer values than its header says.")
        return np.frombuffer(content, self.dtype, count).reshape(each.rows, *self.event)

    def _origin(self, group: int) -> Origin:
        each = self.slices[group]
        return Origin(str(each.path), first_row=each.first)


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int, int]:
    """Shape of a row, dtype, number of rows, and the byte at which the rows begin."""
    origin = Origin(str(path))
    regular_file(path)
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = read_header(file, origin)
            offset = file.tell()
    except OSError as error:
        raise fault(path, f"cannot be read: {error.strerror}.") from error
    check_numeric(np.empty(0, dtype), origin)
    if not shape or len(shape) - 1 > MAX_EVENT_RANK or 0 in shape[1:]:
        raise origin.error(
            f"expected shape (n, *event) with 0 to {MAX_EVENT_RANK} event axes, none empty: "
            f"got {shape}."
        )
    if fortran and len(shape) > 1:
        raise origin.error(
            "the array is stored column by column, and rows are read one after the other. Save it "
            "row by row: numpy.save(path, numpy.ascontiguousarray(x))."
        )
    return shape[1:], dtype, shape[0], offset
