"""Text cells that a spreadsheet would run as formulas, made harmless and read back."""

from __future__ import annotations

#: A cell that starts so is a formula to a spreadsheet.
STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutral(text: str) -> str:
    """Text that no spreadsheet runs: one that starts like a formula gets an apostrophe."""
    return f"'{text}" if text.startswith(STARTS) else text


def plain(text: str) -> str:
    """The inverse of `neutral`, as spreadsheets read such cells."""
    return text[1:] if text.startswith("'") and text[1:].startswith(STARTS) else text
