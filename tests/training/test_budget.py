"""Turning seconds into steps, against sums done by hand and with a clock moved by hand."""

from __future__ import annotations

import pytest

from scorematching.training import budget
from scorematching.training.budget import Clock, Costs, step_budget


def test_the_budget_spends_the_time_limit_on_steps_validations_and_checkpoints() -> None:
    # 2 s a step, 10 s a validation every 5, 20 s a checkpoint every 10: 6 s a step. Of 1000 s,
    # 40 are gone and 30 are for the last validation and checkpoint: 930/6 = 155 more steps.
    steps = step_budget(
        Costs(2.0, 10.0, 20.0),
        time_limit=1000.0,
        elapsed=40.0,
        step=7,
        max_steps=10**6,
        validate_every=5,
        checkpoint_every=10,
    )
    assert steps == 7 + 155


def test_without_validation_in_between_only_the_last_one_counts() -> None:
    steps = step_budget(
        Costs(1.0, 10.0),
        time_limit=100.0,
        elapsed=0.0,
        step=0,
        max_steps=1000,
        validate_every=None,
        checkpoint_every=1,
    )
    assert steps == 90


@pytest.mark.parametrize(("limit", "expected"), [(1.0, 20), (10**9, 500)])
def test_the_budget_lies_between_the_steps_done_and_the_most(limit: float, expected: int) -> None:
    steps = step_budget(
        Costs(1.0, 1.0, 1.0),
        time_limit=limit,
        elapsed=30.0,
        step=20,
        max_steps=500,
        validate_every=1,
        checkpoint_every=1,
    )
    assert steps == expected


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_leaves_out_the_first_step_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand()
    monkeypatch.setattr(budget, "perf_counter", hand)
    clock = Clock(earlier=1000.0)
    hand.now += 50.0  # the first step is slow
    clock.step_done()
    assert clock.step_cost() == 50.0
    for _ in range(4):
        hand.now += 2.0
        clock.step_done()
        with clock.pause():
            hand.now += 7.0
    assert clock.step_cost() == 2.0
    assert clock.session() == 50.0 + 4 * 9.0
    assert clock.seconds() == 1086.0
