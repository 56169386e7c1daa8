"""The curves of a log, long ones and such that lack something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from report.subjects import facts
from scorematching.report.curves import (
    binned,
    by_level,
    by_level_over_time,
    series,
    training_loss,
    validation,
)

RECORDS = [
    {"step": k, "loss": None if k == 3 else 1.0 / k, "validation": k / 100 if k % 50 == 0 else None}
    for k in range(1, 1001)
]


def test_a_long_curve_is_drawn_by_means_of_neighbours_and_their_spread() -> None:
    steps, losses = series(RECORDS, "loss")
    assert len(steps) == 999
    at, mean, low, high = binned(steps, losses)
    assert len(at) == 150
    assert ((low <= mean) & (mean <= high)).all()
    assert (np.diff(at) > 0).all()
    np.testing.assert_allclose(mean[0], losses[:7].mean())
    text = training_loss(RECORDS)
    assert text is not None
    assert "over 1,000 steps" in text


def test_the_best_check_is_the_lowest_loss() -> None:
    text = validation(RECORDS)
    assert text is not None
    assert "at 20 checks: best at step 50, -0.5 nats" in text


def test_without_a_log_or_with_one_check_there_is_no_curve() -> None:
    assert training_loss([]) is None
    assert training_loss(RECORDS[:1]) is None
    assert validation(RECORDS[:60]) is None


def test_losses_by_level_are_shown_for_the_rows_that_there_are() -> None:
    known = facts("table")
    assert "training rows lowest at" in by_level(known)
    assert "held-out rows lowest at" in by_level(known)
    assert "held-out" not in by_level(replace(known, losses_held_out=None))


def test_levels_over_time_need_the_rows_of_the_log() -> None:
    known = facts("table")
    shown = by_level_over_time(known)
    assert shown is not None
    assert "% at σ = 0.01" in shown
    for change in (
        {"subject": replace(known.subject, chose=False)},  # other rows than those of the log
        {"subject": replace(known.subject, records=known.subject.records[:1])},
        {"losses_held_out": None},
    ):
        assert by_level_over_time(replace(known, **change)) is None  # type: ignore[arg-type]
