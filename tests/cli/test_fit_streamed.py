"""Fits of data that are read a group at a time, and by several processes, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import scorematching as sm
from cli.calls import Cli, rows
from scorematching import sources

FEW = ("--max-steps", 6, "--label", "kind")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A Parquet file of five row groups."""
    path = tmp_path / "large.parquet"
    parquet.write_table(pa.table(rows(400)), path, row_group_size=80)
    return path


@pytest.mark.usefixtures("page")
def test_a_streamed_fit_says_so_reports_and_is_the_same_again(
    cli: Cli, tmp_path: Path, large: Path, tiny: Path
) -> None:
    run = tmp_path / "run"
    call = cli("fit", large, "--out", run, "--stream", "--json", "--config", tiny, *FEW)
    assert call.status == 0, call.err
    found = call.json
    assert found["reasons"]["rows"] == "streamed: as asked"
    assert "streamed: as asked" in call.err
    assert any("not looked for" in note for note in found["notes"])
    assert found["held_out"]["rows"] == 40
    assert (run / "report.html").exists()
    assert cli("sample", run, "-n", 5, "--out", tmp_path / "s.csv").status == 0
    page = cli("report", run, "--out", tmp_path / "again.html")
    assert page.status == 0, page.err
    again = cli(
        "fit", large, "--out", tmp_path / "b", "--stream", "--no-report", "--config", tiny, *FEW
    )
    assert again.status == 0
    a, b = (sm.load(folder) for folder in (run, tmp_path / "b"))
    np.testing.assert_array_equal(a.sample(4).values, b.sample(4).values)


def test_large_data_are_streamed_without_being_asked_and_resumed_as_such(
    cli: Cli, tmp_path: Path, large: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "STREAM_ABOVE", 1000)
    run = tmp_path / "run"
    options = ("--no-report", "--config", tiny, *FEW)
    dry = cli("fit", large, "--out", run, "--dry-run", "--json", *options)
    assert dry.json["reasons"]["rows"].startswith("streamed: ")
    assert cli("fit", large, "--out", run, *options).status == 0
    resumed = cli("fit", large, "--out", run, "--resume", "--no-report")
    assert resumed.status == 0, resumed.err
    other = cli("fit", large, "--out", run, "--resume", "--no-stream")
    assert other.status == 2
    assert "--stream is False and was None" in other.error
    parquet.write_table(pa.table(rows(399)), large, row_group_size=80)
    changed = cli("fit", large, "--out", run, "--resume")
    assert changed.status == 2
    assert "399 rows that are not the 400 rows of the run" in changed.error


def test_what_cannot_be_streamed_is_bad_input(cli: Cli, tmp_path: Path, table: Path) -> None:
    call = cli("fit", table, "--out", tmp_path / "run", "--stream")
    assert call.status == 2
    assert "only Parquet and NPY files" in call.error
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_of_the_command_make_one_run(tmp_path: Path, large: Path, tiny: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    outputs = []
    for name, launch in (("one", ["-m"]), ("two", torchrun)):
        options = ["--json", "--stream", "--config", str(tiny), *map(str, FEW)]
        words = ["scorematching", "fit", str(large), "--out", str(tmp_path / name), *options]
        command = [sys.executable, *launch, *words]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=250
        )
        assert result.returncode == 0, result.stderr
        outputs.append(json.loads(result.stdout))  # one object: the second process prints nothing
    one, two = (sm.load(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_allclose(one.sample(9).values, two.sample(9).values, atol=1e-3)
    assert outputs[0]["held_out"]["mean"] == pytest.approx(outputs[1]["held_out"]["mean"], abs=1e-4)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) == 6
