"""The text of an option to what it means."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scorematching.errors import InvalidInput

MAX_CONFIG_BYTES = 1 << 20


def names(option: str, texts: Sequence[str]) -> list[str]:
    """Column names, separated by commas or given one an option; quotes keep a comma in a name.

    Raises
    ------
    InvalidInput
        A name is empty, or a quote is not closed.
    """
    found: list[str] = []
    for text in texts:
        try:
            cells = next(csv.reader([text], skipinitialspace=True, strict=True)) or [""]
        except csv.Error as error:
            raise InvalidInput(
                f"{option} {text!r}: {error}. Put a name with a comma in quotes: '\"a,b\",c'."
            ) from error
        stripped = [cell.strip() for cell in cells]
        if "" in stripped:
            raise InvalidInput(f"{option} {text!r} has an empty name. Write NAME,NAME.")
        found += stripped
    return found


def bounds(texts: Sequence[str]) -> dict[str, tuple[float | None, float | None]]:
    """NAME=LOW:HIGH, where an empty LOW or HIGH is an open end.

    Raises
    ------
    InvalidInput
        The text has another form, a number cannot be read, or a name comes twice.
    """
    found: dict[str, tuple[float | None, float | None]] = {}
    for text in texts:
        name, equals, ends = text.rpartition("=")
        low, colon, high = ends.partition(":")
        if not (equals and name.strip() and colon) or ":" in high or not (low or high).strip():
            raise InvalidInput(
                f"--bounds must be NAME=LOW:HIGH: got {text!r}. For instance alcohol=8:15, "
                "or alcohol=8: for a lower bound alone."
            )
        if name.strip() in found:
            raise InvalidInput(f"--bounds names {name.strip()!r} twice. Give both ends at once.")
        lower, upper = _end(low, text), _end(high, text)
        if lower is not None and upper is not None and lower > upper:
            raise InvalidInput(f"--bounds {text!r}: {lower:g} is above {upper:g}. Write LOW:HIGH.")
        found[name.strip()] = (lower, upper)
    return found


def condition(texts: Sequence[str]) -> dict[str, float]:
    """NAME=NUMBER, separated by commas or given one an option.

    Raises
    ------
    InvalidInput
        The text has another form, a number cannot be read, or a name comes twice.
    """
    found: dict[str, float] = {}
    for part in names("--condition", texts):
        name, equals, number = (each.strip() for each in part.rpartition("="))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not (equals and name) or not math.isfinite(value):
            raise InvalidInput(
                f"--condition must be NAME=NUMBER,…: got {part!r}. For instance alcohol=12,pH=3.2."
            )
        if name in found:
            raise InvalidInput(f"--condition names {name!r} twice.")
        found[name] = value
    return found


def _end(text: str, whole: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InvalidInput(
            f"--bounds {whole!r}: {text.strip()!r} is not a number. Write 0.5, with a point."
        )
    return None if math.isinf(value) else value


def config(path: Path) -> dict[str, Any]:
    """Settings from a .json or .toml file.

    Raises
    ------
    InvalidInput
        The file cannot be read, is not what its ending says, or holds no table of settings.
    """
    ending = path.suffix.lower()
    if ending not in (".json", ".toml"):
        raise InvalidInput(f"--config {path}: expected a .json or .toml file: got {ending!r}.")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"--config {path}: cannot be read: {error.strerror}.") from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise InvalidInput(f"--config {path}: expected at most {MAX_CONFIG_BYTES:,} bytes.")
    try:
        text = raw.decode("utf-8-sig")
        found = json.loads(text) if ending == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--config {path}: not {ending[1:].upper()}: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidInput(
            f"--config {path}: expected an object of settings, such as "
            f'{{"training": {{"batch_size": 64}}}}: got a {type(found).__name__}.'
        )
    return found
