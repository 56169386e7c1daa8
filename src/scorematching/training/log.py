"""The log of a run: one JSON object a line."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from scorematching.errors import InvalidInput
from scorematching.training.records import Record


def logged(records: Iterable[Record], path: Path) -> Iterator[Record]:
    """Pass records on and append each to a file of JSON lines.

    Before the first record, lines of its step or later and lines cut short are dropped: those of
    a run that died after its last checkpoint. Numbers that are not finite are written as null.

    Raises
    ------
    InvalidInput
        The file cannot be written, or holds something else.
    """
    file: TextIO | None = None
    try:
        for record in records:
            if file is None:
                file = _open(Path(path), record.step)
            fields = {name: _finite(value) for name, value in asdict(record).items()}
            file.write(json.dumps(fields, allow_nan=False) + "\n")
            file.flush()
            yield record
    finally:
        if file is not None:
            file.close()


def read_log(path: Path) -> tuple[dict[str, Any], ...]:
    """The records of a log as `logged` wrote them, a line cut short left out; none without a log.

    Raises
    ------
    InvalidInput
        The file cannot be read, or holds something else.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InvalidInput(f"cannot read the log {path}: {error.strerror}.") from error
    whole = [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
    for line in whole:
        _step(line, path)
    return tuple(json.loads(line) for line in whole)


def _finite(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _open(path: Path, step: int) -> TextIO:
    """The log, opened to append, with the lines of earlier steps alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        lines = content.splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        kept = b"".join(line for line in whole if _step(line, path) < step)
        if kept != content:
            temporary = path.with_name(path.name + ".tmp")
            temporary.write_bytes(kept)
            os.replace(temporary, path)
        return open(path, "a", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"cannot write the log {path}: {error.strerror}. Choose another file."
        ) from error


def _step(line: bytes, path: Path) -> int:
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError):
        step = None
    if not isinstance(step, int):
        raise InvalidInput(f"{path} is not the log of a run: choose another file, or move it.")
    return step
