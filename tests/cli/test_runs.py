from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import scorematching as sm
from cli.calls import Cli
from scorematching.cli import runs
from scorematching.errors import InvalidInput


def test_a_folder_made_for_nothing_is_removed_again(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), runs.held(tmp_path / "a", dry_run=False):
            raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_or_holds_something_is_kept(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with runs.held(tmp_path / "there", dry_run=False):
        pass
    with runs.held(tmp_path / "new", dry_run=False):
        (tmp_path / "new" / "x").touch()
    assert {each.name for each in tmp_path.iterdir()} == {"there", "new"}


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_is_no_folder_for_a_run(tmp_path: Path, dry_run: bool) -> None:
    (tmp_path / "x").write_text("mine")
    for path in (tmp_path / "x", tmp_path / "x" / "y"):
        with pytest.raises(InvalidInput), runs.held(path, dry_run=dry_run):
            raise AssertionError
    assert (tmp_path / "x").read_text() == "mine"


def test_a_dry_run_sees_that_a_folder_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(InvalidInput, match="read-only"), runs.held(tmp_path / "x", dry_run=True):
        raise AssertionError


def test_a_model_saved_from_python_is_sampled_in_the_form_of_its_rows(
    cli: Cli, tmp_path: Path, run: Path
) -> None:
    x = np.random.default_rng(0).standard_normal((60, 2))
    small = {"net": {"width": 8}, "training": {"n_members": 1, "max_steps": 2}}
    sm.fit(x, configuration=small).save(tmp_path / "array")
    assert cli("sample", tmp_path / "array", "-n", 3, "--out", tmp_path / "s.npy").status == 0
    assert np.load(tmp_path / "s.npy").shape == (3, 2)
    model = sm.load(run)
    replace(model, form=sm.fitted.Form.ARROW).save(tmp_path / "arrow")
    assert cli("sample", tmp_path / "arrow", "-n", 3, "--out", tmp_path / "s.csv").status == 0


def test_commands_are_quoted_for_a_shell() -> None:
    words = ["fit", "--out", "a b", "it's", "-x"]
    assert shlex.split(runs.command_line(*words)) == ["scorematching", *words]
