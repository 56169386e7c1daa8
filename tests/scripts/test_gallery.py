"""The gallery has a picture of each example, and one that is too large is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scorematching.errors import InvalidInput
from scripts import gallery


def test_a_picture_is_drawn_and_its_numbers_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gallery.main(["potentials"], tmp_path / "new", quick=True) == 0
    with Image.open(tmp_path / "new" / "potentials.png") as picture:
        assert picture.width > 1000
    said = capsys.readouterr().out
    assert said.startswith("potentials.png: ")
    assert "  information 2.9965\n" in said


def test_a_picture_that_is_too_large_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gallery, "MAX_BYTES", 1)
    assert gallery.main(["potentials"], tmp_path, quick=True) == 1
    assert "too large: expected at most 1 bytes" in capsys.readouterr().out


def test_a_name_without_a_script_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no example 'other'"):
        gallery.main(["other"], tmp_path)
