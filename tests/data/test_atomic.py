"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scorematching.data.atomic import new_file, new_folder
from scorematching.errors import DataError


def test_nothing_is_seen_before_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with new_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert os.listdir(tmp_path) == ["t.csv"]


def write_file_and(path: Path, then: Callable[[], object], overwrite: bool = False) -> None:
    with new_file(path, overwrite) as temporary:
        temporary.write_text("mine")
        then()


def write_folder_and(path: Path, then: Callable[[], object]) -> None:
    with new_folder(path) as temporary:
        (temporary / "a.png").write_text("mine")
        then()


@pytest.mark.parametrize("stop", [OSError, KeyboardInterrupt, ValueError])
def test_a_block_that_fails_leaves_what_was_there(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    def fail() -> None:
        raise stop

    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(stop):
        write_file_and(path, fail, overwrite=True)
    with pytest.raises(stop):
        write_folder_and(tmp_path / "p", fail)
    assert os.listdir(tmp_path) == ["t.csv"]
    assert path.read_text() == "old"


def test_a_file_that_appears_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    path, folder = tmp_path / "t.csv", tmp_path / "p"
    with pytest.raises(DataError, match="exists"):
        write_file_and(path, lambda: path.write_text("theirs"))
    assert path.read_text() == "theirs"

    def fill() -> None:
        folder.mkdir()
        (folder / "theirs").write_text("x")

    with pytest.raises(DataError, match="not empty"):
        write_folder_and(folder, fill)
    assert os.listdir(folder) == ["theirs"]
    assert sorted(os.listdir(tmp_path)) == ["p", "t.csv"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with new_folder(tmp_path / "p") as folder:
        (folder / "a.png").write_text("x")
    assert os.listdir(tmp_path / "p") == ["a.png"]


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with new_file(Path("-rf")) as temporary:
        temporary.write_text("x")
    assert os.listdir(tmp_path) == ["-rf"]
