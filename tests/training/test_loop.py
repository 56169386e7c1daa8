"""The loop finds known optima, uses its averaged weights, and stops for the right reasons."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput, RunLocked, TrainingFailed
from scorematching.random import normal, seeded
from scorematching.storage import has_snapshot, snapshot
from scorematching.training import (
    Interrupted,
    Interrupts,
    TrainingSettings,
    budget,
    train,
    warmup_cosine,
)
from scorematching.training.averaging import WarmedAverage

Same = Callable[[nn.Module, nn.Module], bool]


def copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in module.state_dict().items()}


def test_least_squares_converges_to_the_normal_equations() -> None:
    x = normal((200, 4), torch.zeros((), dtype=torch.float64), seeded("x"))
    y = x @ torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64) + 0.7
    y = y + 0.3 * normal((200,), y, seeded("y"))
    design = torch.cat([x, torch.ones(200, 1, dtype=torch.float64)], 1)
    truth = torch.linalg.solve(design.T @ design, design.T @ y)
    module = nn.Linear(4, 1, dtype=torch.float64)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)

    def loss(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        return 0.5 * (module(batch[0])[:, 0] - batch[1]).square()

    settings = TrainingSettings(
        800, learning_rate=0.05, weight_decay=0.0, average_half_life=5.0, batch_size=200
    )
    for record in train(module, loss, (x, y), settings):
        last = record
    found = torch.cat([module.weight.detach()[0], module.bias.detach()])
    gradient = design.T @ (design @ found - y) / 200
    # Strong convexity: ‖θ − θ*‖ ≤ ‖∇f(θ)‖/λ_min of the Hessian.
    bound = gradient.norm() / torch.linalg.eigvalsh(design.T @ design / 200)[0]
    assert bound < 1e-5
    assert (found - truth).norm() <= bound * (1 + 1e-6) + 1e-12
    assert last.loss == pytest.approx(float(0.5 * (design @ truth - y).square().mean()), rel=1e-6)


def test_the_module_ends_with_the_averaged_weights(toy: Any) -> None:
    module = toy.module()
    average, mean = WarmedAverage(20.0), None
    settings = replace(toy.settings, validate_every=None, average_half_life=20.0)
    for record in toy.train(module, validate=None, settings=settings):
        raw = module[0].weight.detach().double()
        beta = average.decay(record.step - 1)
        mean = raw.clone() if mean is None else beta * mean + (1 - beta) * raw
    assert not module.training
    torch.testing.assert_close(module[0].weight.double(), mean, rtol=0, atol=1e-6)
    assert (module[0].weight - raw).norm() > 1e-3  # the control: not the last raw weights


def test_validation_sees_the_averaged_weights_and_the_best_ones_are_kept(toy: Any) -> None:
    values = iter([3.0, 1.0, math.nan, 2.0, 1.5, 1.0, 4.0, 5.0])
    seen: list[dict[str, Tensor]] = []

    def validate(averaged: nn.Module) -> float:
        assert not averaged.training
        seen.append(copies(averaged))
        return next(values)

    module, raw = toy.module(), {}
    records = []
    for record in toy.train(module, validate=validate):
        records.append(record)
        if record.step == 14:
            raw = copies(module)
    assert [r.step for r in records if r.validation is not None] == [7, 14, 21, 28, 35, 42, 49, 50]
    assert [r.best_validation for r in records[5:21]] == [None] + [3.0] * 7 + [1.0] * 8
    assert records[20].event == "validation is not finite"
    assert all(torch.equal(value, seen[1][name]) for name, value in module.state_dict().items())
    assert not torch.equal(raw["0.weight"], seen[1]["0.weight"])


def test_validations_that_draw_at_random_share_their_draws(toy: Any) -> None:
    def validate(averaged: nn.Module) -> float:
        return float(nn.functional.dropout(torch.arange(1.0, 20.0), 0.5, training=True).sum())

    records = list(toy.train(validate=validate))
    assert len({r.validation for r in records if r.validation is not None}) == 1


def test_losses_by_level_are_recorded_at_validations_and_change_nothing(
    toy: Any, same_state: Same
) -> None:
    plain, watched = toy.module(), toy.module()
    list(toy.train(plain))

    def level_losses(module: nn.Module) -> tuple[tuple[float, float], ...]:
        assert not module.training
        return ((0.1, toy.validate(module)), (1.0, float(normal((), torch.zeros(())))))

    records = list(toy.train(watched, level_losses=level_losses))
    for record in records:
        assert (record.level_losses is None) == (record.validation is None)
        if record.level_losses is not None:
            assert record.level_losses[0] == (0.1, record.validation)
    assert same_state(plain, watched)
    settings = replace(toy.settings, validate_every=None)
    with pytest.raises(InvalidInput, match="give validate as well"):
        toy.train(level_losses=level_losses, validate=None, settings=settings)


def test_patience_counts_validations_without_improvement(toy: Any) -> None:
    values = iter([3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0])
    settings = replace(toy.settings, validate_every=2, patience=3)
    records = list(toy.train(validate=lambda averaged: next(values), settings=settings))
    assert len(records) == 16
    assert records[-1].event == "stopped: 3 validations without improvement"


def test_closing_the_run_early_leaves_the_averaged_weights(toy: Any) -> None:
    module = toy.module()
    records = toy.train(module, validate=None, settings=replace(toy.settings, validate_every=None))
    for record in records:
        if record.step == 20:
            raw = copies(module)
            records.close()
    assert not module.training
    assert not torch.equal(module[0].weight, raw["0.weight"])


def test_the_rate_follows_the_schedule_and_the_batches_the_data(toy: Any) -> None:
    records = list(toy.train())
    assert [r.step for r in records] == list(range(1, 51))
    for record in records:
        factor = warmup_cosine(record.step - 1, 8, 50)
        assert record.learning_rate == pytest.approx(3e-3 * factor, rel=1e-12)
    assert {len(batch) for batch in toy.seen} == {32}
    epoch = torch.cat(toy.seen)[:90]
    assert torch.equal(epoch.sort(0).values, toy.rows[0].sort(0).values)


def test_a_run_is_a_function_of_its_seed_alone(toy: Any, same_state: Same) -> None:
    results = []
    for seed, noise in ((0, 0), (0, 1), (1, 0)):
        with torch.random.fork_rng():
            torch.random.set_rng_state(seeded(noise).get_state())
            module = toy.module()
            list(toy.train(module, settings=replace(toy.settings, seed=seed)))
            results.append(module)
    assert same_state(results[0], results[1])
    assert not same_state(results[0], results[2])


def test_every_step_has_noise_and_dropout_of_its_own(toy: Any) -> None:
    draws = []

    def loss(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        ones = torch.ones(40)
        noise = normal((40,), ones, g)
        draws.append((noise, nn.functional.dropout(ones, 0.5, training=True)))
        return toy.loss(module, batch, g)

    list(toy.train(loss=loss))
    for kind in zip(*draws, strict=True):
        assert len({tuple(each.tolist()) for each in kind}) == 50
    # Independent: the correlation over 50 × 40 pairs of neighbours stays within 4/√1960.
    noise = torch.stack([each for each, _ in draws])
    assert abs(float((noise[1:] * noise[:-1]).mean())) < 4 / math.sqrt(1960)


def test_the_global_random_state_is_neither_read_nor_changed(toy: Any) -> None:
    before = torch.random.get_rng_state()
    for _ in toy.train():
        assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(torch.random.get_rng_state(), before)


def poisoned(toy: Any, share: int) -> tuple[Tensor, ...]:
    """The rows with every share'th made NaN."""
    x = toy.rows[0].clone()
    x[::share] = float("nan")
    return x, toy.rows[1]


def test_bad_batches_are_skipped_counted_and_forgiven(toy: Any) -> None:
    module = toy.module()
    records = list(toy.train(module, rows=poisoned(toy, 45)))
    skipped = [r for r in records if r.event and "skipped" in r.event]
    assert 5 < len(skipped) < 45
    assert records[-1].skipped == len(skipped)
    assert all(math.isnan(r.loss) for r in skipped)
    assert all(torch.isfinite(each).all() for each in module.state_dict().values())


def test_too_many_bad_batches_in_a_row_stop_the_run_by_name_and_keep_the_checkpoint(
    toy: Any, tmp_path: Path, same_state: Same
) -> None:
    count = 0

    def breaks(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        nonlocal count
        count += 1
        return toy.loss(module, batch, g) * (float("nan") if count > 25 else 1.0)

    settings = replace(toy.settings, max_bad_batches=4)
    records = []
    message = r"4 batches in a row were not finite, up to step 29: .* at 32 of 32 rows: \d+, "
    run = toy.train(loss=breaks, settings=settings, folder=tmp_path)
    with pytest.raises(TrainingFailed, match=message):
        records.extend(each.step for each in run)
    # The last good checkpoint is of step 22; going on from it without the fault ends well.
    module, straight = toy.module(), toy.module()
    assert next(toy.train(module, settings=settings, folder=tmp_path, resume=True)).step == 23
    list(toy.train(module, settings=settings, folder=tmp_path, resume=True))
    list(toy.train(straight, settings=settings))
    assert same_state(module, straight)


def test_a_run_without_one_good_batch_fails(toy: Any) -> None:
    settings = replace(toy.settings, max_steps=5)
    with pytest.raises(TrainingFailed, match="none of the 5 batches had a finite loss"):
        list(toy.train(rows=poisoned(toy, 1), settings=settings))


class Hand:
    """A clock moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(budget, "perf_counter", lambda: self.now)


def test_a_time_limit_becomes_the_steps_that_fit(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand(monkeypatch)

    def loss(module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        hand.now += 2.0
        return toy.loss(module, batch, g)

    def validate(averaged: nn.Module) -> float:
        hand.now += 10.0
        return toy.validate(averaged)

    settings = replace(
        toy.settings, max_steps=10**6, time_limit=200.0, warmup_steps=12, validate_every=5
    )
    records = list(toy.train(loss=loss, validate=validate, settings=settings))
    # A tenth of the limit has passed after step 6, at 22 s. Measuring a validation takes 10 s, and
    # 10 are put aside for the last one; of the 158 left each step takes 2 + 10/5 = 4: 39 more.
    assert records[5].event == "budget: 45 steps"
    assert records[-1].step == records[-1].max_steps == 45
    assert 190.0 <= hand.now <= 200.0
    for record in records:
        factor = warmup_cosine(record.step - 1, 12, 45)
        assert record.learning_rate == pytest.approx(3e-3 * factor, rel=1e-12)


def test_a_time_limit_that_does_not_bind_changes_nothing(toy: Any, same_state: Same) -> None:
    limited, free = toy.module(), toy.module()
    list(toy.train(limited, settings=replace(toy.settings, time_limit=1e6)))
    list(toy.train(free))
    assert same_state(limited, free)


def test_a_signal_stops_after_the_step_and_saves(toy: Any, tmp_path: Path) -> None:
    records = []
    with Interrupts() as interrupts:
        run = toy.train(folder=tmp_path, interrupts=interrupts)
        message = rf"stopped by signal 15 after step 6: saved in {re.escape(str(tmp_path))}"
        for _ in range(5):
            records.append(next(run))
        signal.raise_signal(signal.SIGTERM)
        records.append(next(run))
        with pytest.raises(Interrupted, match=message) as caught:
            next(run)
    assert caught.value.exit_status == 143
    assert [r.event for r in records] == [None] * 5 + ["checkpoint"]
    assert next(toy.train(folder=tmp_path, resume=True)).step == 7


def test_a_signal_at_the_last_step_is_not_lost(toy: Any, tmp_path: Path) -> None:
    assert len(toy.train_until(50, tmp_path)) == 50
    assert list(toy.train(folder=tmp_path, resume=True)) == []


def test_without_a_folder_the_message_says_that_nothing_was_saved(toy: Any) -> None:
    stop = Interrupts()
    stop.signum = 2
    with pytest.raises(Interrupted, match="not saved, as no folder was given"):
        list(toy.train(interrupts=stop))


def test_a_second_run_in_the_folder_is_refused_while_the_first_lives(
    toy: Any, tmp_path: Path
) -> None:
    first = toy.train(folder=tmp_path)
    next(first)
    with pytest.raises(RunLocked, match="in use by process"):
        next(toy.train(folder=tmp_path))
    first.close()
    assert next(toy.train(folder=tmp_path)).step == 1


def test_stale_temporaries_are_swept_at_the_start(toy: Any, tmp_path: Path) -> None:
    stale = tmp_path / (snapshot.TEMPORARY + "0")
    stale.mkdir()
    (stale / "half").write_bytes(b"x")
    next(toy.train(folder=tmp_path))
    assert not stale.exists()


def test_no_folder_writes_nothing(toy: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    list(toy.train())
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_clash_are_refused_before_the_first_step(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="same number of rows"):
        toy.train(rows=(torch.zeros(3, 1), torch.zeros(4, 1)))
    with pytest.raises(InvalidInput, match="validate_every has no effect without validate"):
        toy.train(validate=None)
    with pytest.raises(InvalidInput, match="resume needs the folder"):
        toy.train(resume=True)
    with pytest.raises(InvalidInput, match="no parameter that requires a gradient"):
        toy.train(nn.Flatten())
    assert not has_snapshot(tmp_path)
