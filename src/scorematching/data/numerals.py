"""Text cells of a CSV column to numbers, or a statement of why they are none."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from scorematching.data.csvtext import NUMBER
from scorematching.data.origin import Origin, option
from scorematching.errors import DataError

#: Cells that stand for a missing value, compared without case and surrounding blanks.
MISSING = ("", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "<na>", "?", "-", ".")
DAY = r"(\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}(\s.*)?)"
TIME = r"(\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)"


def parse_cells(name: str, cells: pa.ChunkedArray, origin: Origin) -> pa.ChunkedArray:
    """A column of text as int64, float64, bool or timestamp-like text, missing cells as null.

    Whole numbers stay whole only if every cell is written without point or exponent.

    Raises
    ------
    DataError
        Most cells are numbers and some are not, or commas stand inside numbers; the message
        names the column, the line and the cell.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    clean = _clean_numbers(trimmed)
    if clean is not None:
        return clean
    missing = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(MISSING))
    numeric = pc.match_substring_regex(trimmed, f"^{NUMBER}$")
    infinite = pc.match_substring_regex(trimmed, r"(?i)^[+-]?inf(inity)?$")
    ready = pc.or_(numeric, infinite)
    n_left = len(cells) - _count(missing)
    n_ready = _count(ready)
    if n_ready == n_left:
        return _to_numbers(name, pc.if_else(missing, pa.scalar(None, pa.string()), trimmed), origin)
    rest = pc.and_not(pc.invert(missing), ready)
    comma = pc.match_substring_regex(trimmed, r"^[+-]?\d[\d.]*,\d[\d,.]*$")
    if n_ready + _count(comma) >= n_left / 2 and _count(comma):
        row = pc.index(comma, True).as_py()
        raise origin.error(
            f"column {name!r}, {origin.place(row)}: a comma inside a number, "
            f"{trimmed[row].as_py()!r}. Write a point as the decimal sign (1.5) and no "
            "thousands separators."
        )
    if n_ready >= n_left / 2:
        row = pc.index(rest, True).as_py()
        raise origin.error(
            f"column {name!r} holds numbers, but {origin.place(row)} holds "
            f"{_short(trimmed[row].as_py())}: "
            f"{_count(rest)} of {len(cells)} cells are not numbers. "
            f"Mend them, or leave the column out ({option('drop', name)})."
        )
    if _count(pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(["true", "false"]))) == n_left:
        truth = pc.equal(pc.utf8_lower(trimmed), "true")
        return pc.if_else(missing, pa.scalar(None, pa.bool_()), truth)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _clean_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The usual column, without a second look at any cell; None for a column that needs one.

    It holds nothing but int64, or nothing but numbers of which one has a fraction.
    """
    if _count(pc.match_substring(texts, "x")):  # Arrow reads hexadecimal numbers
        return None
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        numbers = _cast_or_none(texts)
    if numbers is None:
        return None
    fraction = pc.and_(pc.is_finite(numbers), pc.not_equal(numbers, pc.floor(numbers)))
    return numbers if _count(fraction) else None


def _cast_or_none(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def looks_like_dates(texts: pa.Array) -> bool:
    """Whether every text that is there is written as a date or a time of day."""
    return bool(
        _count(pc.match_substring_regex(texts, f"^({DAY}|{TIME})$"))
        == len(texts) - texts.null_count
    )


def too_big(name: str, value: str, row: int, origin: Origin) -> DataError:
    """The error for a whole number that float64 does not hold exactly."""
    return origin.error(
        f"column {name!r}, {origin.place(row)}: the whole number {value} is beyond ±2^53 and would "
        f"lose digits. Leave the column out ({option('drop', name)}) if it is an identifier, or "
        "store it as real numbers."
    )


def _to_numbers(name: str, texts: pa.ChunkedArray, origin: Origin) -> pa.ChunkedArray:
    """int64 if every text is an integer literal, else float64."""
    n_left = len(texts) - texts.null_count
    whole = pc.match_substring_regex(texts, r"^[+-]?\d+$")
    if _count(whole) < n_left or n_left == 0:
        return texts.cast(pa.float64())
    digits = pc.replace_substring_regex(texts, r"^([+-]?)0*(\d)", r"\1\2")
    long = pc.greater(pc.utf8_length(digits), 18)
    if _count(long):
        row = pc.index(long, True).as_py()
        raise too_big(name, _short(texts[row].as_py()), row, origin)
    return pc.replace_substring_regex(digits, r"^\+", "").cast(pa.int64())


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
