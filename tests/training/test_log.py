"""The run log holds each step once, whatever happened to the run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from scorematching.errors import InvalidInput
from scorematching.training import Record, logged
from scorematching.training.log import read_log


def record(step: int, loss: float = 1.5) -> Record:
    return Record(step, 10, loss, 0.5, 1e-3, 100.0, 2.0, event="ü" if step == 2 else None)


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_records_pass_through_and_are_written_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "log.jsonl"
    records = [record(1), record(2)]
    assert list(logged(records, path)) == records
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "step": 1,
        "max_steps": 10,
        "loss": 1.5,
        "gradient_norm": 0.5,
        "learning_rate": 0.001,
        "rows_per_second": 100.0,
        "seconds": 2.0,
        "validation": None,
        "best_validation": None,
        "skipped": 0,
        "level_losses": None,
        "event": None,
    }
    assert second["event"] == "ü"


def test_a_line_is_on_disk_before_its_record_is_seen(tmp_path: Path) -> None:
    for seen, _ in enumerate(logged(map(record, range(1, 4)), tmp_path / "log"), start=1):
        assert steps(tmp_path / "log") == list(range(1, seen + 1))


def test_a_resumed_run_drops_the_lines_it_writes_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    list(logged(map(record, range(1, 8)), path))
    with open(path, "a") as file:
        file.write('{"step": 8, "lo')  # killed in the middle of a line
    list(logged(map(record, range(5, 10)), path))
    assert steps(path) == list(range(1, 10))


def test_a_finished_run_that_is_resumed_leaves_its_log_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    list(logged(map(record, range(1, 4)), path))
    assert list(logged([], path)) == []
    assert steps(path) == [1, 2, 3]


def test_numbers_that_json_lacks_are_null(tmp_path: Path) -> None:
    list(logged([record(1, math.nan), record(2, math.inf)], tmp_path / "log"))
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line, parse_constant=pytest.fail)["loss"] for line in lines] == [None, None]


def test_losses_by_noise_level_are_written_as_pairs(tmp_path: Path) -> None:
    pairs = ((0.1, 0.5), (1.0, math.nan))
    list(logged([replace(record(1), level_losses=pairs)], tmp_path / "log"))
    line = json.loads((tmp_path / "log").read_text(), parse_constant=pytest.fail)
    assert line["level_losses"] == [[0.1, 0.5], [1.0, None]]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b'{"x": 1}\n', b"[1]\n", b"\xff\xfe\n"])
def test_a_file_that_is_no_log_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(InvalidInput, match="is not the log of a run"):
        next(logged([record(1)], tmp_path / "data.csv"))
    assert (tmp_path / "data.csv").read_bytes() == content


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot write the log"):
        next(logged([record(1)], tmp_path))


def test_a_log_is_read_as_it_was_written_but_for_a_line_cut_short(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == ()
    path = tmp_path / "log"
    list(logged(map(record, range(1, 4)), path))
    with open(path, "a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in read_log(path)] == [1, 2, 3]
    assert read_log(path)[1]["event"] == "ü"
    path.write_text("a,b\n")
    with pytest.raises(InvalidInput, match="is not the log of a run"):
        read_log(path)
    with pytest.raises(InvalidInput, match="cannot read"):
        read_log(tmp_path)
