"""Runs of `fit` in folders: logged, stopped, resumed, kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fits import gaussian_rows, quick, weights
from scorematching.errors import InvalidInput, RunLocked
from scorematching.nets import PreconditionedDenoiser
from scorematching.storage import run_lock
from scorematching.training import Interrupted, Interrupts, Record


def test_a_run_in_a_folder_leaves_log_checkpoints_and_model(tmp_path: Path) -> None:
    out = tmp_path / "a run — ü\n1"
    fitted = quick(gaussian_rows(60, 2), 6, out=out)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 7))
    pairs = lines[-1]["level_losses"]
    assert len(pairs) == 10
    assert all(level > 0 and 0 < loss < 2 for level, loss in pairs)
    assert (out / "checkpoints").is_dir()
    assert (out / "model").is_dir()
    with pytest.raises(InvalidInput, match="already holds a run: resume"):
        quick(gaussian_rows(60, 2), 6, out=out)
    again = quick(gaussian_rows(60, 2), 6, out=out, resume=True)
    assert torch.equal(weights(again), weights(fitted))


def test_a_run_that_was_stopped_and_resumed_is_the_run_never_stopped(tmp_path: Path) -> None:
    x = gaussian_rows(60, 2)
    whole = quick(x, 12)
    interrupts = Interrupts()

    def stop(record: Record) -> None:
        if record.step == 5:
            interrupts.signum = 2

    with pytest.raises(Interrupted):
        quick(x, 12, out=tmp_path, interrupts=interrupts, on_record=stop)
    resumed = quick(x, 12, out=tmp_path, resume=True)
    assert torch.equal(weights(resumed), weights(whole))
    assert np.array_equal(resumed.sample(20), whole.sample(20))


def test_other_data_settings_or_seeds_do_not_resume(tmp_path: Path) -> None:
    x = gaussian_rows(60, 2)
    quick(x, 4, out=tmp_path)
    for rows, options, message in (
        (x + 1e-3 * x**2, {}, "the data differ"),
        (x, {"seed": 1}, "seed"),
        (x, {"settings": {"training": {"learning_rate": 1e-4}}}, "learning_rate"),
    ):
        with pytest.raises(InvalidInput, match=message):
            quick(rows, 4, out=tmp_path, resume=True, **options)
    with pytest.raises(InvalidInput, match="no checkpoint to resume"):
        quick(x, 4, out=tmp_path / "none", resume=True)


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with run_lock(tmp_path / "checkpoints"), pytest.raises(RunLocked, match="in use by process"):
        quick(gaussian_rows(60, 2), out=tmp_path)


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(gaussian_rows(60, 2))
    assert list(tmp_path.iterdir()) == []


def test_a_fit_ends_in_evaluation_mode() -> None:
    fitted = quick(gaussian_rows(60, 2), settings={"net": {"dropout": 0.5}})
    assert isinstance(fitted.denoiser, PreconditionedDenoiser)
    assert not any(module.training for module in fitted.denoiser.modules())
