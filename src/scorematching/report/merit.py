"""A figure of merit: a number, what it says of this model, and what is good and bad about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Reading(Enum):
    """What a figure says in a word."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    OPEN = "cannot tell"


@dataclass(frozen=True)
class Merit:
    """A figure of merit.

    Attributes
    ----------
    key, name
        For programs and for people.
    number, std_error
        The figure, and its standard error where it has one.
    shown
        The figure in words, with its unit.
    reading
        In a word.
    verdict
        What it says of this model.
    good, bad
        What such a figure is good for, and where it misleads.
    """

    key: str
    name: str
    number: float | None
    std_error: float | None
    shown: str
    reading: Reading
    verdict: str
    good: str
    bad: str

    def fields(self) -> dict[str, Any]:
        """What a program wants to know."""
        return {
            "key": self.key,
            "name": self.name,
            "value": self.number,
            "std_error": self.std_error,
            "reading": self.reading.value,
            "verdict": self.verdict,
        }


def in_short(merits: list[Merit]) -> str:
    """How many figures are good, fair, poor or open, in a sentence."""
    counts = {each: sum(merit.reading is each for merit in merits) for each in Reading}
    words = {
        Reading.GOOD: "good",
        Reading.FAIR: "fair",
        Reading.POOR: "poor",
        Reading.OPEN: "undecided",
    }
    parts = [f"{count} {words[each]}" for each, count in counts.items() if count]
    return f"{len(merits)} figures: {', '.join(parts)}."


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, as +0.42 or −0.42."""
    return f"{value:+.{digits}f}".replace("-", "−")
