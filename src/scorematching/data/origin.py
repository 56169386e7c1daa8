"""Where the rows of a table came from, so that errors can say the file and the line."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from scorematching.errors import DataError


def fault(source: object, message: str) -> DataError:
    """A DataError that starts with its source, on one line whatever names it holds."""
    return DataError(printable(f"{source}: {message}"))


def printable(text: str) -> str:
    """Text with line ends, control characters and undecodable bytes escaped."""
    if text.isprintable():
        return text
    escaped = (c.encode("unicode_escape").decode() for c in text)
    return "".join(c if c.isprintable() else e for c, e in zip(text, escaped, strict=True))


def option(flag: str, name: str) -> str:
    """A command-line option with a name, as one would type it: ``--drop 'free acid'``."""
    return f"--{flag} {shlex.quote(name)}"


@dataclass(frozen=True)
class Origin:
    """The name of a source, and its text if it was a text file.

    ``text`` starts at the header line, which is line ``first_line`` of the file. Row 0 is row
    ``first_row`` of the source, where it is read in parts.
    """

    name: str
    text: str | None = None
    delimiter: str = ","
    first_line: int = 1
    single_column: bool = False
    first_row: int = 0

    def place(self, row: int) -> str:
        """Where row ``row`` (from 0) stands: its line in a text file, else its number."""
        if self.text is None:
            return f"row {self.first_row + row} (counting from 0)"
        try:
            line = next(line for line, _ in islice(self.records(), row + 1, None))
        except (csv.Error, StopIteration):  # a cell too long for the csv module, say
            return f"row {row} (counting from 0)"
        return f"line {line}"

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """First line and cells of each record, the header first; slow, for errors only."""
        lines = io.StringIO(self.text, newline="")
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        start = self.first_line
        for cells in reader:
            if cells or self.single_column:
                yield start, cells
            start = self.first_line + reader.line_num

    def check_unique(self, names: Sequence[str]) -> None:
        """Raise DataError if two columns have the same name."""
        twice = next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names):
            raise self.error(f"two columns have the same name {twice!r}. Rename one.")

    def error(self, message: str) -> DataError:
        """A DataError that starts with the source's name."""
        return fault(self.name, message)


def regular_file(path: Path, max_bytes: int | None = None) -> int:
    """Size in bytes of a readable, not empty, regular file.

    Raises
    ------
    DataError
        The path is missing, a folder, a device, unreadable, empty, or larger than ``max_bytes``.
    """
    try:
        found = path.exists()
        is_file = path.is_file()
        size = path.stat().st_size if is_file else 0
    except OSError as error:
        raise fault(path, f"cannot be read: {error.strerror}.") from error
    if not found:
        raise fault(path, "no such file. Check the path and the working folder.")
    if not is_file:
        raise fault(path, "expected a file, got a folder or device.")
    if size == 0:
        raise fault(path, "the file is empty. Export or copy it again.")
    if max_bytes is not None and size > max_bytes:
        raise fault(
            path,
            f"{size:,} bytes are more than the limit of {max_bytes:,}. "
            "Read fewer rows, or raise max_bytes.",
        )
    return size


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file, capped.

    Raises
    ------
    DataError
        As `regular_file`, or the file cannot be read.
    """
    regular_file(path, max_bytes)
    try:
        return path.read_bytes()
    except OSError as error:
        raise fault(path, f"cannot be read: {error.strerror}.") from error
