"""``RUN/settings.json``: everything that a run was started with, so that it can be resumed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scorematching import __version__
from scorematching.configuration import Configuration
from scorematching.data import Dataset, Stream
from scorematching.data.atomic import new_file
from scorematching.errors import CorruptCheckpoint, InvalidInput

FILE = "settings.json"
FORMAT_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(_Part):
    """The options of ``scorematching fit`` that decide the result."""

    columns: list[str] | None = None
    drop: list[str] | None = None
    label: str | None = None
    positive: list[str] | None = None
    bounds: dict[str, tuple[float | None, float | None]] | None = None
    condition: list[str] | None = None
    validation_data: str | None = None
    stream: bool | None = None
    seed: int = 0
    max_steps: int | None = None
    time_limit: float | None = None
    device: str = "cpu"


class Source(_Part):
    """Where the rows came from, and the SHA-256 of what was read."""

    name: str
    rows: int
    sha256: str


class RunSettings(_Part):
    """The options of a run, what they resolved to and why, and the data."""

    format_version: Literal[1] = 1
    scorematching: str = __version__
    data: Source
    validation: Source | None = None
    options: Options
    configuration: Configuration
    reasons: dict[str, str] = Field(default_factory=dict)


def source_of(name: str, data: Dataset | Stream) -> Source:
    """What identifies rows that were read: the same rows in the same order, wherever they lie."""
    digest = hashlib.sha256(json.dumps(data.schema.to_json(), sort_keys=True).encode())
    if isinstance(data, Stream):
        digest.update(data.digest.encode())
        return Source(name=printable(name), rows=data.n, sha256=digest.hexdigest())
    digest.update(data.values.tobytes())
    if data.labels is not None:
        digest.update(data.labels.tobytes())
    if data.condition is not None:
        digest.update(data.condition.tobytes())
    return Source(name=printable(name), rows=data.n, sha256=digest.hexdigest())


def printable(path: str | Path) -> str:
    """A path as text that JSON can hold: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def write_settings(folder: Path, settings: RunSettings) -> None:
    """Write ``settings.json``, whole or not at all."""
    with new_file(folder / FILE, overwrite=True) as temporary:
        text = json.dumps(settings.model_dump(mode="json"), indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_settings(folder: Path) -> RunSettings:
    """The settings of the run in a folder.

    Raises
    ------
    InvalidInput
        The folder holds no run of the command line.
    CorruptCheckpoint
        ``settings.json`` is damaged, or was written by a newer version.
    """
    path = folder / FILE
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidInput(
            f"{folder} holds no run to resume. Leave --resume out to start one; a run of sm.fit is "
            "resumed from Python, by sm.fit(…, out=…, resume=True)."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpoint(
            f"{path} is damaged: {error}. Start again in a new folder."
        ) from error
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise CorruptCheckpoint(
            f"{path} was written by a newer version (format {version}, this one reads up to "
            f"{FORMAT_VERSION}): upgrade scorematching."
        )
    try:
        return RunSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise CorruptCheckpoint(
            f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
            "Start again in a new folder."
        ) from error


def check_same_options(
    written: Options, given: Mapping[str, Any], folder: Path, free: frozenset[str]
) -> None:
    """Raise InvalidInput if an option was given that is not that of the run to resume."""
    before = written.model_dump()
    differ = [
        f"--{name.replace('_', '-')} is {value!r} and was {before[name]!r}"
        for name, value in given.items()
        if name not in free and value != before[name]
    ]
    if differ:
        raise InvalidInput(
            f"options differ from those of the run in {folder}: {'; '.join(differ)}. A resumed run "
            "keeps its settings: leave them out, or start a new run in another folder."
        )


def check_same_rows(before: Source, now: Source, folder: Path) -> None:
    """Raise InvalidInput if the rows are not those of the run to resume."""
    if before.sha256 != now.sha256:
        raise InvalidInput(
            f"{now.name}: {now.rows} rows that are not the {before.rows} rows of the run in "
            f"{folder}, read from {before.name}. Resume with the same rows in the same order, or "
            "start a new run in another folder."
        )
