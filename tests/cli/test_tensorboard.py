from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.calls import STEPS, Cli
from scorematching.errors import InvalidInput
from scorematching.training import events


def steps(folder: Path) -> list[int]:
    """The steps of the loss, as TensorBoard reads them."""
    module: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = module.EventAccumulator(str(folder))
    found.Reload()
    return [each.step for each in found.Scalars("training/loss")]


def test_the_log_of_a_run_becomes_events_and_they_are_replaced(
    cli: Cli, tmp_path: Path, run: Path
) -> None:
    pytest.importorskip("tensorboard")
    folder = shutil.copytree(run, tmp_path / "run")
    for _ in range(2):
        call = cli("tensorboard", folder, "--json")
        assert call.status == 0, call.err
    events_folder = folder / "tensorboard"
    assert (call.json["records"], call.json["out"]) == (STEPS, str(events_folder))
    assert call.json["next"] == f"tensorboard --logdir {events_folder}"
    assert len(list(events_folder.iterdir())) == 1
    assert steps(events_folder) == list(range(1, STEPS + 1))
    (events_folder / "mine").write_text("mine")
    refused = cli("tensorboard", folder)
    assert refused.status == 2
    assert "not empty" in refused.error
    assert cli("tensorboard", folder, "--out", tmp_path / "elsewhere").status == 0


def test_a_fit_writes_events_while_it_trains(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    pytest.importorskip("tensorboard")
    options = ("--drop", "kind", "--config", tiny, "--max-steps", 3, "--tensorboard")
    call = cli("fit", table, "--out", tmp_path / "run", *options)
    assert call.status == 0, call.err
    assert steps(tmp_path / "run" / "tensorboard") == [1, 2, 3]


def test_without_tensorboard_nothing_is_trained_and_the_remedy_is_named(
    cli: Cli, tmp_path: Path, run: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise InvalidInput("It is an extra: pip install 'scorematching[tensorboard]'.")

    monkeypatch.setattr(events, "writer_class", absent)
    for call in (
        cli("fit", table, "--out", tmp_path / "run", "--tensorboard"),
        cli("tensorboard", run, "--out", tmp_path / "events"),
    ):
        assert call.status == 2
        assert "scorematching[tensorboard]" in call.error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_log_is_an_error(cli: Cli, tmp_path: Path) -> None:
    call = cli("tensorboard", tmp_path)
    assert call.status == 2
    assert "log.jsonl" in call.error
