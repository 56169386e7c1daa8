from __future__ import annotations

import json
import math
import warnings

import pytest

from scorematching.cli import session
from scorematching.cli.session import Messages, finite


def test_a_note_is_said_once_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    messages = Messages()
    for text in ("first\n  note", "second", "first\n  note"):
        messages.note(text)
    assert capsys.readouterr().err.splitlines() == ["note      first note", "note      second"]
    assert messages.notes == ["first\n  note", "second"]


def test_quiet_says_nothing_and_keeps_the_notes(capsys: pytest.CaptureFixture[str]) -> None:
    messages = Messages(quiet=True, as_json=True)
    messages.say("a", "b")
    messages.note("c")
    messages.table("d", [("e", "f")])
    messages.result({"x": 1})
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out) == {"x": 1}
    assert messages.notes == ["c"]


def test_without_json_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Messages().result({"x": 1})
    assert capsys.readouterr().out == ""


def test_warnings_of_the_package_become_notes_and_others_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = Messages()
    monkeypatch.setattr(session, "PACKAGE", __file__)
    show = warnings.showwarning
    with messages.warnings_noted():
        warnings.warn("ours", RuntimeWarning, stacklevel=1)
        warnings.warn("ours", RuntimeWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        warnings.warn_explicit("theirs", UserWarning, "/elsewhere/torch.py", 1)
    assert messages.notes == ["ours"]
    assert capsys.readouterr().err == "note      ours\n"
    assert warnings.showwarning is show


def test_numbers_that_are_not_finite_become_null() -> None:
    value = {"a": [1.0, math.nan, (math.inf, 2)], "b": {"c": -math.inf}, "d": "nan"}
    assert finite(value) == {"a": [1.0, None, [None, 2]], "b": {"c": None}, "d": "nan"}
