"""Fits of streams: the model that rows in memory give, resumed bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import scorematching as sm
from fits import SMALL, UNTRAINED, gaussian_rows, merged, weights
from scorematching import sources, streaming
from scorematching.data import Dataset, read, stream
from scorematching.errors import InvalidInput
from scorematching.sources import STREAM_ABOVE
from scorematching.training import Interrupted, Interrupts, Record

X = gaussian_rows(600, 3)


def parquet(folder: Path, label: bool = False) -> Path:
    columns: dict[str, Any] = {name: X[:, j] for j, name in enumerate("abc")}
    if label:
        columns["kind"] = ["u" if each > 5 else "v" for each in X[:, 0]]
    pq.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=90)
    return folder / "rows.parquet"


def fit(x: Any, steps: int = 1, settings: Any = None, **options: Any) -> sm.FittedScore:
    configuration = merged(SMALL, settings or {})
    return sm.fit(x, max_steps=steps, configuration=configuration, quiet=True, **options)


@pytest.mark.filterwarnings("ignore:the rows are streamed")
def test_an_untrained_model_of_a_stream_is_that_of_the_rows_in_memory(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    ours, theirs = fit(path, stream=True, settings=UNTRAINED), fit(path, settings=UNTRAINED)
    rows = read(path)
    np.testing.assert_allclose(ours.log_density(rows), theirs.log_density(rows), atol=1e-4)
    assert ours.schema == theirs.schema
    assert ours.reasons["rows"] == "streamed: as asked"
    assert "rows" not in theirs.reasons
    assert isinstance(ours.sample(3), Dataset)


@pytest.mark.filterwarnings("ignore:the rows are streamed")
def test_a_fit_of_a_stream_learns_what_a_fit_in_memory_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clusters, whose log-density a Gaussian misses; windows of 150 of 1,200 rows."""
    rng = np.random.default_rng(0)
    centres = np.where(rng.random(1200) < 0.5, -1.0, 1.0)
    x = np.column_stack([centres, -centres]) + 0.2 * rng.normal(size=(1200, 2))
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(streaming, "WINDOW_BYTES", 150 * 2 * 4)
    monkeypatch.setattr("scorematching.data.arraygroups.GROUP_BYTES", 50 * 2 * 8)
    training = {"learning_rate": 2e-2, "warmup_steps": 10, "average_half_life": 10}
    settings = {"training": {**training, "batch_size": 128}}
    streamed = fit(tmp_path / "x.npy", 100, settings, stream=True)
    whole = fit(x, 100, settings)
    plain = fit(x, 1, UNTRAINED)
    ours, theirs, gaussian = (m.log_density(x).mean() for m in (streamed, whole, plain))
    assert theirs - gaussian > 0.3
    assert ours == pytest.approx(theirs, abs=0.1)


@pytest.mark.filterwarnings("ignore:the rows are streamed")
def test_a_streamed_fit_stopped_and_resumed_is_the_fit_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path, label=True)
    monkeypatch.setattr(streaming, "WINDOW_BYTES", 200 * (3 * 4 + 8))
    options: dict[str, Any] = {"label": "kind", "stream": True}
    settings = {"training": {"batch_size": 64, "validate_every": 8}}
    straight: list[Record] = []
    expected = fit(path, 30, settings, on_record=straight.append, **options)
    interrupts, cut = Interrupts(), []

    def stops(record: Record) -> None:
        cut.append(record.step)
        interrupts.signum = 15 if record.step == 12 else None

    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        fit(path, 30, settings, out=out, on_record=stops, interrupts=interrupts, **options)
    rest: list[Record] = []
    found = fit(path, 30, settings, out=out, resume=True, on_record=rest.append, **options)
    assert [cut[-1], rest[0].step] == [13, 14]
    assert torch.equal(weights(found), weights(expected))
    assert [r.loss for r in rest] == [r.loss for r in straight[13:]]
    assert [r.validation for r in rest] == [r.validation for r in straight[13:]]
    assert expected.reasons["validation_fraction"].endswith("held out choose the best weights")
    # Other rows are not those of the run.
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 599), path, row_group_size=90)
    with pytest.raises(InvalidInput, match="the data differ"):
        fit(path, 30, settings, out=out, resume=True, **options)


def test_what_would_not_fit_is_streamed_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path)
    assert isinstance(sources.read_or_stream(path)[0], Dataset)
    assert STREAM_ABOVE == 512 * 2**20
    monkeypatch.setattr(sources, "STREAM_ABOVE", X.nbytes - 1)
    rows, reason = sources.read_or_stream(path)
    assert reason == "streamed: 0 MiB as float64, more than the 0 that are read at once"
    assert rows.n == 600
    assert isinstance(sources.read_or_stream(path, columns=["a", "b"])[0], Dataset)
    assert isinstance(sources.read_or_stream(path, False)[0], Dataset)
    (tmp_path / "many").mkdir()
    np.save(tmp_path / "many" / "x.npy", X)
    monkeypatch.undo()
    assert sources.read_or_stream(tmp_path / "many")[1] == (
        "streamed: a folder of several files, 0 MiB as float64"
    )


def test_options_that_do_not_go_with_a_source_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    rows = stream(path)
    for x, options, message in (
        (X, {"stream": True}, "the rows are in memory as a ndarray: stream=True is for a path"),
        (rows, {"drop": ["a"]}, "drop cannot change a Stream: choose when it is opened"),
        (rows, {"stream": False}, "stream=False cannot change a Stream"),
        (path, {"labels": [1] * 600}, "labels are for arrays: a file is read with label='NAME'"),
        ("builtin:wine", {"stream": True}, "builtin:wine is small, and read whole"),
    ):
        with pytest.raises(InvalidInput, match=message):
            fit(x, **options)


@pytest.mark.filterwarnings("ignore:the rows are streamed")
def test_a_stream_and_validation_rows_of_the_users_own(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    seen: list[Record] = []
    fitted = fit(stream(path), 4, validation=read(path), on_record=seen.append)
    assert seen[-1].validation is not None
    assert fitted.reasons["validation"].startswith("as given")


@pytest.mark.filterwarnings("ignore:the rows are streamed")
def test_a_net_of_the_users_own_is_tried_out_on_streamed_rows(tmp_path: Path) -> None:
    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 3, dtype=torch.float64)

        def forward(self, x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
            assert x.dtype == torch.float64
            return self.layer(x)

    path = parquet(tmp_path)
    sm.fit(path, stream=True, net=Own(), max_steps=2, quiet=True)
    with pytest.raises(InvalidInput, match=r"the net cannot be called on x \(2, 3\)"):
        sm.fit(path, stream=True, net=torch.nn.Linear(4, 4), max_steps=2, quiet=True)
