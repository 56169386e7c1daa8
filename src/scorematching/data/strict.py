"""Reading the fields of a JSON object that someone else may have edited."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, TypeVar

from scorematching.errors import InvalidInput

Member = TypeVar("Member", bound=Enum)


class Fields:
    """The fields of one JSON object: all of ``names``, no others, each read with its type.

    Raises
    ------
    InvalidInput
        At once if the object has other fields than ``names``; on reading if a value has another
        type than was asked for. The message says which object and field.
    """

    def __init__(self, data: object, what: str, names: tuple[str, ...]) -> None:
        if not isinstance(data, dict):
            raise InvalidInput(f"{what} must be a JSON object: got {type(data).__name__}.")
        unknown = sorted(set(map(str, data)) - set(names))
        missing = sorted(set(names) - set(map(str, data)))
        if unknown or missing:
            found = [f"unknown {', '.join(unknown)}"] if unknown else []
            found += [f"missing {', '.join(missing)}"] if missing else []
            raise InvalidInput(
                f"{what} must have the fields {', '.join(names)}: {'; '.join(found)}."
            )
        self._data: dict[str, Any] = data
        self._what = what

    def _wrong(self, name: str, expected: str) -> InvalidInput:
        got = repr(self._data[name])
        short = got if len(got) <= 60 else got[:57] + "…"
        return InvalidInput(f"{name} of the {self._what} must be {expected}: got {short}.")

    def value(self, name: str) -> object:
        """Whatever is there."""
        return self._data[name]

    def constant(self, name: str, expected: str) -> None:
        """Nothing, if the field is the expected text."""
        if self._data[name] != expected:
            raise self._wrong(name, repr(expected))

    def text(self, name: str) -> str:
        """A string."""
        value = self._data[name]
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._data[name]
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._data[name]
        whole_or_real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not whole_or_real or not math.isfinite(value):
            raise self._wrong(name, "a finite number")
        return float(value)

    def number_or_none(self, name: str) -> float | None:
        """A finite number, or None for null."""
        return None if self._data[name] is None else self.number(name)

    def whole_or_none(self, name: str) -> int | None:
        """A whole number that is not negative, or None for null."""
        value = self._data[name]
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(name, "a whole number that is not negative")
        return value

    def items(self, name: str, at_most: int) -> list[object]:
        """A list of at most so many entries."""
        value = self._data[name]
        if not isinstance(value, list) or len(value) > at_most:
            raise self._wrong(name, f"a list of at most {at_most} entries")
        return value

    def texts(self, name: str, at_most: int) -> tuple[str, ...]:
        """A list of strings."""
        values = self.items(name, at_most)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of texts")
        return tuple(str(value) for value in values)

    def shape(self, name: str, at_least: int, at_most: int) -> tuple[int, ...]:
        """A list of positive whole numbers."""
        values = self.items(name, at_most)
        sizes = [v for v in values if isinstance(v, int) and not isinstance(v, bool) and v > 0]
        if len(sizes) < len(values) or len(sizes) < at_least:
            raise self._wrong(name, "a list of positive whole numbers")
        return tuple(sizes)

    def member(self, name: str, kind: type[Member]) -> Member:
        """A member of an enumeration, by its value."""
        for member in kind:
            if member.value == self._data[name]:
                return member
        raise self._wrong(name, f"one of {', '.join(str(member.value) for member in kind)}")
