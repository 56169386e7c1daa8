"""What TensorBoard is given is what the log holds."""

from __future__ import annotations

import builtins
import math
from pathlib import Path
from typing import Any

import pytest

from scorematching.errors import InvalidInput
from scorematching.training import Record, logged
from scorematching.training.events import SCALARS, EventWriter, event_writer
from scorematching.training.log import read_log


def record(step: int, **changes: Any) -> Record:
    fields: dict[str, Any] = {"validation": 0.5 * step, "level_losses": ((0.1, 0.25), (2.0, 0.5))}
    return Record(step, 9, 1.0 / step, 2.0, 1e-3, 100.0, 2.0 * step, **{**fields, **changes})


def read(folder: Path) -> Any:
    """The events of a folder, read by TensorBoard itself."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = module.EventAccumulator(str(folder))
    found.Reload()
    return found


def points(found: Any, tag: str) -> list[tuple[int, float]]:
    return [(each.step, each.value) for each in found.Scalars(tag)]


def test_every_number_of_a_record_is_written_at_its_step(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with event_writer(tmp_path, started=1e9) as write:
        for step in (1, 2):
            write(record(step))
    found = read(tmp_path)
    levels = {"level_loss/sigma_0.1", "level_loss/sigma_2"}
    assert {*found.Tags()["scalars"]} == {*SCALARS.values(), *levels} - {"validation/best"}
    assert points(found, "training/loss") == [(1, 1.0), (2, 0.5)]
    assert points(found, "level_loss/sigma_0.1") == [(1, 0.25), (2, 0.25)]
    assert [each.wall_time for each in found.Scalars("training/loss")] == [1e9 + 2, 1e9 + 4]


def test_the_lines_of_a_log_give_the_same_events_and_gaps_stay_gaps(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    rows = [record(1), record(2, validation=None, level_losses=None), record(3)]
    lost = Record(4, 9, math.nan, math.inf, 1e-3, 100.0, 8.0, event="skipped: row 3")
    list(logged([*rows, lost], tmp_path / "log"))
    with event_writer(tmp_path / "events") as write:
        for line in read_log(tmp_path / "log"):
            write(line)
    found = read(tmp_path / "events")
    assert points(found, "validation/minus_log_density") == [(1, 0.5), (3, 1.5)]
    assert [step for step, _ in points(found, "training/loss")] == [1, 2, 3]
    assert [each.step for each in found.Tensors("event/text_summary")] == [4]


def test_a_resumed_run_takes_the_place_of_the_steps_it_does_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for steps, validation in ((range(1, 6), 1.0), (range(4, 7), 2.0)):
        with event_writer(tmp_path, started=1e9 + validation) as write:
            for step in steps:
                write(record(step, validation=validation))
    expected = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)]
    assert points(read(tmp_path), "validation/minus_log_density") == expected


def test_without_tensorboard_the_message_says_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InvalidInput, match=r"pip install 'scorematching\[tensorboard\]'"):
        EventWriter(tmp_path / "events")
    assert not (tmp_path / "events").exists()
