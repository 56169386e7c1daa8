"""What the commands and `main` share about one call, and where messages go."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGE = str(Path(__file__).resolve().parents[1])
LABEL = 9


@dataclass
class Session:
    """One call of the command line: whether it asked for tracebacks, filled while it is parsed."""

    debug: bool = False


@dataclass(frozen=True)
class Messages:
    """Words for a human on standard error, and one JSON object for a program on standard output.

    Attributes
    ----------
    quiet
        Say nothing but errors.
    as_json
        Whether `result` prints.
    notes
        What was noted or warned of so far, each once; filled as the command goes.
    """

    quiet: bool = False
    as_json: bool = False
    notes: list[str] = field(default_factory=list)

    def say(self, label: str, text: str) -> None:
        """One line, under a short label."""
        if not self.quiet:
            print(f"{label:<{LABEL}} {text}".rstrip(), file=sys.stderr)

    def note(self, text: str) -> None:
        """Something the user should know; said once."""
        if text not in self.notes:
            self.notes.append(text)
            self.say("note", " ".join(text.split()))

    def table(self, label: str, rows: Iterable[tuple[str, str]]) -> None:
        """Names and what there is to say of each, below one another."""
        found = list(rows)
        width = max((len(name) for name, _ in found), default=0)
        for name, text in found:
            self.say(label, f"{name:<{width}}  {text}")
            label = ""

    def result(self, fields: Mapping[str, Any]) -> None:
        """The outcome as one JSON object, where it was asked for; numbers not finite are null."""
        if self.as_json:
            print(json.dumps(finite(fields), indent=1, allow_nan=False))

    @contextmanager
    def warnings_noted(self) -> Iterator[None]:
        """Python warnings of this package become notes; those of other packages are left out."""

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: object = None,
            line: str | None = None,
        ) -> None:
            if filename.startswith(PACKAGE):
                self.note(str(message))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for category in (UserWarning, RuntimeWarning):
                warnings.simplefilter("always", category)
            warnings.showwarning = show
            yield


def finite(value: Any) -> Any:
    """value with every float that is not finite replaced by None, within dicts and lists."""
    if isinstance(value, Mapping):
        return {str(name): finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
