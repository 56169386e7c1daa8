"""Signs of life on standard error, for a terminal alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def tracked(parts: Sequence[T], what: str, *, quiet: bool) -> Iterator[T]:
    """Pass the parts on, with a bar and the time left."""
    if not _shown(quiet):
        yield from parts
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(parts, what, console=Console(stderr=True), transient=True)


@contextmanager
def spinning(what: str, *, quiet: bool) -> Iterator[None]:
    """A spinner while the block runs."""
    if not _shown(quiet):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _shown(quiet: bool) -> bool:
    return not quiet and sys.stderr is not None and sys.stderr.isatty()
