from __future__ import annotations

import io
import sys

import pytest

from scorematching.cli.progress import spinning, tracked


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_signs_of_life_are_for_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], quiet: bool
) -> None:
    said = stream()
    monkeypatch.setattr(sys, "stderr", said)
    assert list(tracked([1, 2, 3], "counting", quiet=quiet)) == [1, 2, 3]
    with spinning("turning", quiet=quiet):
        pass
    shown = stream is Terminal and not quiet
    assert ("counting" in said.getvalue()) == shown
    assert ("turning" in said.getvalue()) == shown
