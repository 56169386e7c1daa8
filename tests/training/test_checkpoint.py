"""A resumed run is the run that was never stopped; what does not belong to it is refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.random import seeded
from scorematching.storage import pack_tensors, read_snapshot, unpack_tensors, write_snapshot
from scorematching.training import Precision, Record, TrainingSettings, budget, checkpoint
from scorematching.training.checkpoint import data_hash

Same = Callable[[nn.Module, nn.Module], bool]


def untimed(records: list[Record]) -> list[Record]:
    """Records without what differs from run to run: times, and events of checkpoints."""
    return [replace(r, seconds=0.0, rows_per_second=0.0, event=None) for r in records]


def test_a_run_stopped_anywhere_and_resumed_is_the_run_never_stopped(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    straight = toy.module()
    expected = list(toy.train(straight))
    # In the warm-up, at a validation, at a checkpoint, in between, at the last step but one.
    for cut in (1, 7, 11, 23, 49):
        folder, resumed = tmp_path / str(cut), toy.module()
        records = toy.train_until(cut, folder)
        rest = list(toy.train(resumed, folder=folder, resume=True))
        assert rest[0].event == f"resumed after step {cut}" or cut == 49
        assert untimed(records + rest) == untimed(expected), cut
        assert same_state(resumed, straight), cut


@pytest.mark.slow
def test_twenty_random_cuts_of_one_run_change_nothing(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    toy.settings = replace(toy.settings, max_steps=400, validate_every=30, checkpoint_every=50)
    straight, resumed = toy.module(), toy.module()
    expected = list(toy.train(straight))
    cuts = sorted((torch.randperm(399, generator=seeded("cuts"))[:20] + 1).tolist())
    records, done = [], 0
    for cut in cuts:
        records += toy.train_until(cut, tmp_path, done=done, resume=done > 0)
        done = cut
    records += list(toy.train(resumed, folder=tmp_path, resume=True))
    assert untimed(records) == untimed(expected)
    assert same_state(resumed, straight)


def test_a_run_that_dies_without_saving_goes_on_from_its_last_checkpoint(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    straight, resumed = toy.module(), toy.module()
    expected = list(toy.train(straight))
    dying = toy.train(folder=tmp_path)
    for record in dying:
        if record.step == 31:
            dying.close()
    rest = list(toy.train(resumed, folder=tmp_path, resume=True))
    assert rest[0].step == 23
    assert untimed(rest) == untimed(expected[22:])
    assert same_state(resumed, straight)


@pytest.mark.parametrize("forgotten", ["optimizer", "averaged", "best", "module"])
def test_control_a_resumed_run_that_forgets_any_of_its_state_differs(
    toy: Any, tmp_path: Path, same_state: Same, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    # The best validation comes before the cut, so that the best weights must be remembered.
    def rising(averaged: nn.Module) -> float:
        return float(averaged[1].num_batches_tracked)

    keep_newest = forgotten != "best"
    settings = replace(toy.settings, validate_every=None if keep_newest else 7)
    options = {"validate": None if keep_newest else rising, "settings": settings}
    straight, resumed = toy.module(), toy.module()
    list(toy.train(straight, **options))
    toy.train_until(23, tmp_path, **options)
    fresh = unpack_tensors(pack_tensors(toy.module().state_dict()))
    read = unpack_tensors

    def forgetful(content: bytes) -> dict[str, Tensor]:
        tensors = read(content)
        for name in list(tensors):
            prefix, _, rest = name.partition("/")
            if prefix == forgotten and prefix in ("optimizer", "best"):
                del tensors[name]
            elif prefix == forgotten and rest != "n_averaged":
                tensors[name] = fresh[rest.removeprefix("module.")]
        return tensors

    monkeypatch.setattr(checkpoint, "unpack_tensors", forgetful)
    list(toy.train(resumed, folder=tmp_path, resume=True, **options))
    assert not same_state(resumed, straight)


def test_patience_and_skipped_batches_are_remembered(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    x = toy.rows[0].clone()
    x[::30] = float("nan")
    toy.rows = (x, toy.rows[1])
    values = {7: 3.0, 14: 1.0, 21: 2.0, 28: 2.0, 35: 2.0}

    def run(module: nn.Module, stop: int | None, **options: Any) -> list[Record]:
        seen: list[Record] = []

        def validate(averaged: nn.Module) -> float:
            return values[(seen[-1].step if seen else options.get("done", 0)) + 1]

        options.pop("done", None)
        changes = {"validate": validate, "settings": settings, "folder": tmp_path, **options}
        records = toy.train(module, **changes)
        for record in records:
            seen.append(record)
            if record.step == stop:
                records.close()
        return seen

    settings = replace(toy.settings, patience=3, checkpoint_every=1)
    resumed, straight = toy.module(), toy.module()
    first = run(toy.module(), 26)
    rest = run(resumed, None, done=26, resume=True)
    expected = run(straight, None, folder=None)
    assert rest[-1].step == expected[-1].step == 35
    assert rest[-1].skipped == expected[-1].skipped > 3
    assert str(untimed(first + rest)) == str(untimed(expected))  # as text, because NaN ≠ NaN
    assert same_state(resumed, straight)


def test_a_settled_budget_is_kept_whatever_the_clock_says_later(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pace = [0.0], [1.0]

    def loss(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        now[0] += pace[0]
        return toy.loss(module, batch, g)

    monkeypatch.setattr(budget, "perf_counter", lambda: now[0])
    toy.settings = replace(toy.settings, max_steps=10**6, time_limit=40.0, validate_every=None)
    options = {"loss": loss, "validate": None}
    # Stopped before the budget is settled, then after it, then on a machine 100 times slower.
    assert toy.train_until(2, tmp_path, **options)[-1].max_steps == 10**6
    records = toy.train_until(20, tmp_path, done=2, resume=True, **options)
    assert {r.max_steps for r in records[4:]} == {40}
    pace[0] = 100.0
    rest = list(toy.train(folder=tmp_path, resume=True, **options))
    assert (rest[-1].step, rest[-1].max_steps) == (40, 40)


def test_a_finished_run_yields_nothing_more_and_loads_its_result(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    module, again = toy.module(), toy.module()
    assert list(toy.train(module, folder=tmp_path))[-1].event == "checkpoint"
    assert list(toy.train(again, folder=tmp_path, resume=True)) == []
    assert same_state(again, module)
    assert not again.training


def test_a_folder_with_a_run_is_not_overwritten_and_an_empty_one_not_resumed(
    toy: Any, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="holds no checkpoint to resume"):
        next(toy.train(folder=tmp_path, resume=True))
    list(toy.train(folder=tmp_path))
    with pytest.raises(InvalidInput, match="already holds a run"):
        next(toy.train(folder=tmp_path))


OTHER = {
    "max_steps": 51,
    "batch_size": 31,
    "learning_rate": 1e-3,
    "betas": (0.8, 0.99),
    "weight_decay": 0.0,
    "warmup_steps": 9,
    "clip_norm": 1.0,
    "average_half_life": 100.0,
    "validate_every": None,
    "patience": 3,
    "checkpoint_every": 10,
    "time_limit": 60.0,
    "max_bad_batches": 5,
    "seed": 1,
    "precision": Precision.BFLOAT16,
}


def test_settings_that_differ_are_each_named(toy: Any, tmp_path: Path) -> None:
    assert OTHER.keys() == {each.name for each in fields(TrainingSettings)}
    toy.train_until(3, tmp_path)
    for name, value in OTHER.items():
        settings = replace(toy.settings, **{name: value})
        shown, was = json.loads(json.dumps([value, getattr(toy.settings, name)]))
        with pytest.raises(InvalidInput, match="settings differ") as caught:
            next(toy.train(settings=settings, folder=tmp_path, resume=True))
        assert f"run to resume: {name} is {shown!r} and was {was!r}." in str(caught.value)
    both = replace(toy.settings, seed=5, clip_norm=2.0)
    with pytest.raises(InvalidInput, match=r"clip_norm is 2\.0 and was 5\.0; seed is 5 and was 0"):
        next(toy.train(settings=both, folder=tmp_path, resume=True))
    assert next(toy.train(folder=tmp_path, resume=True)).step == 4


def test_data_that_differ_are_refused(toy: Any, tmp_path: Path) -> None:
    toy.train_until(3, tmp_path)
    x, y = toy.rows
    changed = x.clone()
    changed[60, 2] += 1e-6
    for rows in ((changed, y), (x.flip(0), y), (x[:-1], y[:-1]), (x, y, y)):
        with pytest.raises(InvalidInput, match="the data differ"):
            next(toy.train(rows=rows, folder=tmp_path, resume=True))


def test_the_hash_of_data_sees_dtype_shape_value_and_order_but_not_strides() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    others = [x.double(), x.reshape(4, 3), -x, x.flip(0), x[:2], torch.zeros(0, 4), x[0, 0]]
    hashes = [data_hash((each,)) for each in [x, *others]] + [data_hash((x, x)), data_hash(())]
    assert len(set(hashes)) == len(hashes)
    assert data_hash((x.T.contiguous().T,)) == hashes[0]
    assert data_hash((torch.tensor([True]),)) != data_hash((torch.tensor([False]),))


def test_another_module_is_refused_with_the_name_of_its_weight(toy: Any, tmp_path: Path) -> None:
    toy.train_until(3, tmp_path)
    wider = nn.Sequential(nn.Linear(3, 9), nn.BatchNorm1d(9), nn.Linear(9, 1))
    for other in (wider, toy.module().double()):
        with pytest.raises(InvalidInput, match=r"module differs .* 0\.bias is "):
            next(toy.train(other, folder=tmp_path, resume=True, validate=lambda averaged: 0.0))


def test_a_corrupt_checkpoint_gives_way_to_the_one_before_with_a_warning(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    straight, resumed = toy.module(), toy.module()
    list(toy.train(straight))
    toy.train_until(25, tmp_path)
    current = tmp_path / "step-00000025" / checkpoint.TENSORS
    os.truncate(current, 1000)
    with pytest.warns(RuntimeWarning, match="step-00000025.*Loaded the good snapshot step-0000002"):
        rest = list(toy.train(resumed, folder=tmp_path, resume=True))
    assert rest[0].step == 23
    assert same_state(resumed, straight)


def test_if_no_checkpoint_is_good_the_module_stays_as_it_was(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    toy.train_until(25, tmp_path)
    for path in tmp_path.glob("step-*/" + checkpoint.FIELDS):
        path.write_text("{}")
    module = toy.module()
    with pytest.raises(CorruptCheckpoint, match="no good snapshot"):
        next(toy.train(module, folder=tmp_path, resume=True))
    assert same_state(module, toy.module())


def forge(folder: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], object]) -> None:
    """Replace the checkpoint by a changed one whose checksums are right."""
    files = dict(read_snapshot(folder).files)
    tensors = unpack_tensors(files[checkpoint.TENSORS])
    written = json.loads(files[checkpoint.FIELDS])
    change(tensors, written)
    files[checkpoint.TENSORS] = pack_tensors(tensors)
    files[checkpoint.FIELDS] = json.dumps(written).encode()
    write_snapshot(folder, "forged", files)


FORGERIES: dict[str, Callable[[dict[str, Tensor], dict[str, Any]], object]] = {
    "short moment": lambda t, w: t.update({"optimizer/0/exp_avg": torch.zeros(1)}),
    "moment of another dtype": lambda t, w: t.update(
        {"optimizer/0/exp_avg": t["optimizer/0/exp_avg"].double()}
    ),
    "moment of no parameter": lambda t, w: t.update({"optimizer/99/exp_avg": torch.zeros(1)}),
    "moment with a silly name": lambda t, w: t.update({"optimizer/x": torch.zeros(1)}),
    "half of the moments": lambda t, w: t.pop("optimizer/0/exp_avg"),
    "counter is text": lambda t, w: w["counters"].update(step="3"),
    "counter is NaN": lambda t, w: w["counters"].update(seconds=float("nan")),
    "counter is missing": lambda t, w: w["counters"].pop("step"),
    "newer format": lambda t, w: w.update(format_version=checkpoint.FORMAT_VERSION + 1),
    "settings are a list": lambda t, w: w.update(settings=[]),
}


@pytest.mark.parametrize("change", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_checkpoint_is_refused_before_it_is_used(
    toy: Any, tmp_path: Path, same_state: Same, change: Any
) -> None:
    toy.train_until(3, tmp_path)
    forge(tmp_path, change)
    module = toy.module()
    with pytest.raises(CorruptCheckpoint):
        next(toy.train(module, folder=tmp_path, resume=True))
    assert same_state(module, toy.module())


def test_another_torch_or_number_of_threads_is_said(toy: Any, tmp_path: Path) -> None:
    toy.train_until(3, tmp_path)
    forge(tmp_path, lambda t, w: w["machine"].update(torch="1.0", threads=999))
    with pytest.warns(RuntimeWarning, match=r"\(was 1\.0\), threads 1 \(was 999\): .* rounding"):
        assert next(toy.train(folder=tmp_path, resume=True)).step == 4


def test_a_disk_that_fills_up_keeps_the_checkpoint_before(
    toy: Any, tmp_path: Path, same_state: Same, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    records = toy.train(folder=tmp_path)
    for _ in range(15):
        next(records)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            OSError, match=r"could not save step-00000022 \(No space left"
        ) as caught:
            list(records)
    assert caught.value.errno == errno.ENOSPC
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "current", "step-00000011"}
    straight, resumed = toy.module(), toy.module()
    assert next(toy.train(resumed, folder=tmp_path, resume=True)).step == 12
    list(toy.train(resumed, folder=tmp_path, resume=True))
    list(toy.train(straight))
    assert same_state(resumed, straight)


CHILD = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from dataclasses import replace
import torch
from conftest import Toy
from scorematching.training import Interrupted, Interrupts
torch.set_num_threads(1)
toy = Toy()
toy.settings = replace(toy.settings, max_steps=10_000, checkpoint_every=3, validate_every=2000)
with Interrupts() as interrupts:
    try:
        for record in toy.train(folder=Path(sys.argv[1]), interrupts=interrupts):
            print(record.step, flush=True)
    except Interrupted as stopped:
        sys.exit(stopped.exit_status)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_gets_a_signal_leaves_a_checkpoint_to_go_on_from(
    toy: Any, tmp_path: Path, number: signal.Signals
) -> None:
    toy.settings = replace(toy.settings, max_steps=10_000, checkpoint_every=3, validate_every=2000)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        while int(child.stdout.readline()) < 10:
            pass
        time.sleep(0.05)
        child.send_signal(number)
        last = int(([10, *child.stdout.read().split()])[-1])
        status = child.wait(timeout=60)
    again = toy.train(folder=tmp_path, resume=True)
    record = next(again)
    if number == signal.SIGINT:
        assert (status, record.step) == (130, last + 1)
    else:
        assert status == -signal.SIGKILL
        # Nothing is lost beyond the steps since the last checkpoint.
        assert last - 3 < record.step <= last + 4
        assert (record.step - 1) % 3 == 0
    # The step after the cut is that of a run never stopped.
    straight = toy.train()
    while (expected := next(straight)).step < record.step:
        pass
    assert untimed([record]) == untimed([expected])
