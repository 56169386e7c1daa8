"""Columns of an Arrow table as finite float64 numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scorematching.data.numerals import looks_like_dates, too_big
from scorematching.data.origin import Origin, option
from scorematching.data.schema import Column, Kind
from scorematching.errors import DataError

#: Whole numbers up to here are exact in float64.
EXACT = 2**53


@dataclass(frozen=True, eq=False)
class Numbers:
    """One column: its name, kind, values ``(n,)`` and declared bounds."""

    name: str
    kind: Kind
    values: NDArray[np.float64]
    low: float | None = None
    high: float | None = None

    def column(self) -> Column:
        """The schema of the column, with its value if it is constant."""
        first = float(self.values[0])
        constant = first if bool((self.values == first).all()) else None
        return Column(self.name, self.kind, self.low, self.high, constant)

    def notes(self) -> tuple[str, ...]:
        """What looks odd about the column, though it can be used."""
        whole = bool((self.values == np.floor(self.values)).all())
        steps = np.diff(self.values)
        counting = len(steps) > 1 and bool((steps == 1).all())
        return odd_notes(self.name, self.kind, whole=whole, counting=counting)

    def check_bounds(self, origin: Origin) -> None:
        """Raise if a value is outside the bounds, or on them in a column of real numbers."""
        real = self.kind is Kind.REAL
        for bound, outside, words in (
            (self.low, np.less_equal if real else np.less, "greater than" if real else "at least"),
            (
                self.high,
                np.greater_equal if real else np.greater,
                "less than" if real else "at most",
            ),
        ):
            if bound is None:
                continue
            bad = outside(self.values, bound)
            if bad.any():
                row = int(bad.argmax())
                raise origin.error(
                    f"column {self.name!r} must be {words} {bound:g}: got "
                    f"{self.values[row]:.12g} ({origin.place(row)}), and so in {int(bad.sum())} "
                    f"of {len(bad)} rows. Mend the rows, or declare wider bounds."
                )

    def check_like(self, column: Column, origin: Origin) -> None:
        """Raise if the values cannot be rows of a column of a fitted model."""
        if column.kind is Kind.INTEGER:
            self._check(self.values != np.floor(self.values), "must hold whole numbers", origin)
        if column.constant is not None:
            constant = f"was the constant {column.constant:.12g} in the fitted rows"
            self._check(self.values != column.constant, constant, origin)
            return
        replace(self, kind=column.kind, low=column.low, high=column.high).check_bounds(origin)

    def _check(self, bad: NDArray[np.bool_], rule: str, origin: Origin) -> None:
        if bad.any():
            row = int(bad.argmax())
            raise origin.error(
                f"column {self.name!r} {rule}: got {self.values[row]:.12g} ({origin.place(row)})."
            )


def odd_notes(name: str, kind: Kind, *, whole: bool, counting: bool) -> tuple[str, ...]:
    """What looks odd about a column whose values are all whole, or rise by one each."""
    if kind is Kind.REAL and whole:
        return (
            f"column {name!r} holds whole numbers stored as real ones: samples will "
            "have fractions. Store it as integers to have them rounded.",
        )
    if kind is Kind.INTEGER and counting:
        return (
            f"column {name!r} counts the rows: an index, probably. "
            f"Leave it out with {option('drop', name)}.",
        )
    return ()


def numbers(columns: dict[str, pa.ChunkedArray], origin: Origin) -> dict[str, Numbers]:
    """Every column as finite numbers.

    Raises
    ------
    DataError
        Columns hold text, dates, truth values or nested values (all are named, with what to do);
        cells are missing, NaN or infinite (columns and counts); whole numbers exceed 2⁵³.
    """
    refused = {name: why for name, cells in columns.items() if (why := _refusal(cells))}
    if refused:
        raise _not_numbers(refused, origin)
    found = {name: _convert(name, cells, origin) for name, cells in columns.items()}
    faults = []
    for name, each in found.items():
        missing, infinite = np.isnan(each.values), np.isinf(each.values)
        if missing.any() or infinite.any():
            counts = [f"{int(missing.sum())} missing or NaN"] if missing.any() else []
            counts += [f"{int(infinite.sum())} infinite"] if infinite.any() else []
            first = int((missing | infinite).argmax())
            faults.append(f"{name!r} ({' and '.join(counts)}, first: {origin.place(first)})")
    if faults:
        n_rows = len(next(iter(found.values())).values)
        raise origin.error(
            f"cells are missing or not finite, of {n_rows} rows in column {'; '.join(faults[:12])}"
            f"{f'; and {len(faults) - 12} more columns' if len(faults) > 12 else ''}. "
            "Fill them, drop those rows, or leave the columns out (--drop NAME)."
        )
    return found


def _refusal(cells: pa.ChunkedArray) -> str | None:
    """Why a column is no column of numbers, or None."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if pa.types.is_boolean(kind):
        return "true/false"
    if pa.types.is_temporal(kind):
        return "date or time"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        distinct = pc.unique(cells).drop_null().cast(pa.string())
        if looks_like_dates(distinct):
            return "date or time"
        many = len(distinct) > max(20, len(cells) // 2)
        return f"text, {len(distinct)} distinct values{': high cardinality' if many else ''}"
    if pa.types.is_nested(kind):
        return f"nested values, {kind}"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return None
    return None if pa.types.is_null(kind) else f"type {kind}"


def _not_numbers(refused: dict[str, str], origin: Origin) -> DataError:
    listing = "; ".join(f"{name!r} ({why})" for name, why in list(refused.items())[:12])
    more = f"; and {len(refused) - 12} more" if len(refused) > 12 else ""
    few = [name for name, why in refused.items() if why == "true/false" or why[-6:] == "values"]
    label = f", or condition on one that has few classes ({option('label', few[0])})" if few else ""
    return origin.error(
        f"columns that are not numbers: {listing}{more}. "
        f"Leave them out ({option('drop', next(iter(refused)))}){label}."
    )


def _convert(name: str, cells: pa.ChunkedArray, origin: Origin) -> Numbers:
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    integer = pa.types.is_integer(cells.type)
    if integer:
        _check_exact(name, cells, origin)
    values = pc.fill_null(cells.cast(pa.float64(), safe=False), math.nan)
    kind = Kind.INTEGER if integer else Kind.REAL
    return Numbers(name, kind, np.ascontiguousarray(values.to_numpy(), dtype=np.float64))


def _check_exact(name: str, cells: pa.ChunkedArray, origin: Origin) -> None:
    """Raise if a whole number is beyond what float64 holds exactly."""
    big = pc.greater(cells, pa.scalar(EXACT, pa.uint64())) if cells.type == pa.uint64() else None
    if cells.type == pa.int64():
        low, high = pa.scalar(-EXACT, pa.int64()), pa.scalar(EXACT, pa.int64())
        big = pc.or_(pc.greater(cells, high), pc.less(cells, low))
    if big is None:
        return
    row = pc.index(big, True).as_py()
    if row >= 0:
        raise too_big(name, str(cells[row].as_py()), row, origin)
