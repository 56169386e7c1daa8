"""What figures of the density say where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from report.subjects import facts
from scorematching.likelihood import FlowLogDensity
from scorematching.report.density_merits import density_merits
from scorematching.report.facts import Densities, Facts, Losses
from scorematching.report.merit import Merit, Reading

RNG = np.random.default_rng(6)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = START


def gains(mean: float, n: int = 200, step: float = 0.01) -> Densities:
    """Densities whose gains over a Gaussian are N(mean, 1)."""
    gaussian = RNG.normal(-3.0, 2.0, n)
    value = torch.from_numpy(gaussian + RNG.normal(mean, 1.0, n))
    checked = FlowLogDensity(value[:4], torch.full((4,), step, dtype=torch.float64), None, 1)
    return Densities(FlowLogDensity(value, None, None, 1), gaussian, checked)


def merits(**changes: Any) -> dict[str, Merit]:
    known: Facts = replace(facts("table"), held_out=gains(1.0), train=gains(1.0))
    return {merit.key: merit for merit in density_merits(replace(known, **changes))}


@pytest.mark.parametrize(
    ("mean", "reading"), [(1.0, Reading.GOOD), (0.0, Reading.OPEN), (-1.0, Reading.POOR)]
)
def test_a_gain_is_good_a_loss_poor_and_what_may_be_chance_is_open(
    mean: float, reading: Reading
) -> None:
    found = merits(held_out=gains(mean))["gain_over_gaussian"]
    assert found.reading is reading
    assert found.number is not None
    assert found.std_error == pytest.approx(1 / 200**0.5, rel=0.2)
    assert abs(found.number - mean) < 4 * found.std_error
    assert f"{found.number:+.2f}".replace("-", "−") in found.shown


@pytest.mark.parametrize(
    ("train", "held_out", "reading"),
    [
        (1.0, 1.0, Reading.GOOD),
        (2.0, 1.5, Reading.FAIR),
        (2.0, 0.2, Reading.POOR),
        (1.0, 2.0, Reading.GOOD),
    ],
)
def test_what_is_known_by_heart_shows_as_a_gap(
    train: float, held_out: float, reading: Reading
) -> None:
    found = merits(train=gains(train), held_out=gains(held_out))["memorisation_gap"]
    assert found.reading is reading
    assert found.number is not None
    assert found.std_error is not None
    assert abs(found.number - (train - held_out)) < 4 * found.std_error


def test_one_row_says_nothing() -> None:
    found = merits(held_out=gains(5.0, 1), train=gains(5.0, 1))
    assert found["gain_over_gaussian"].reading is Reading.OPEN
    assert found["memorisation_gap"].reading is Reading.OPEN


def test_rows_whose_flow_diverged_are_left_out_and_said() -> None:
    known = gains(1.0)
    value = known.model.value.clone()
    value[:3] = torch.nan
    found = merits(held_out=replace(known, model=replace(known.model, value=value)))
    assert "197 held-out rows" in found["gain_over_gaussian"].good
    assert "3 rows are left out" in found["gain_over_gaussian"].bad
    assert np.isfinite(found["gain_over_gaussian"].number or np.nan)


@pytest.mark.parametrize(
    ("step", "reading"), [(0.01, Reading.GOOD), (0.2, Reading.FAIR), (3.0, Reading.POOR)]
)
def test_long_steps_of_the_flow_are_told(step: float, reading: Reading) -> None:
    found = merits(held_out=gains(1.0, step=step))["step_error"]
    assert (found.number, found.reading) == (step, reading)


def test_rows_that_chose_the_weights_are_said_to_flatter() -> None:
    assert "chose the best weights" in merits()["gain_over_gaussian"].bad
    subject = replace(facts("table").subject, chose=False)
    assert "chose" not in merits(subject=subject)["gain_over_gaussian"].bad


def test_without_held_out_rows_the_page_says_so_and_claims_nothing_of_them() -> None:
    found = merits(held_out=None, train=None, losses_held_out=None)
    assert found["held_out"].reading is Reading.OPEN
    assert "--held-out" in found["held_out"].verdict
    assert {"gain_over_gaussian", "memorisation_gap", "step_error"}.isdisjoint(found)
    assert "training rows" in found["level_loss"].verdict


def losses(ratio: list[float]) -> Losses:
    gaussian = 0.5 + 0.02 * RNG.standard_normal((10, 300))
    return Losses(np.array(ratio)[:, None] * gaussian, gaussian)


@pytest.mark.parametrize(
    ("ratio", "reading"),
    [
        ([1.0] * 4 + [0.6] + [1.0] * 5, Reading.GOOD),
        ([1.0] * 4 + [0.6] + [1.0] * 4 + [1.2], Reading.FAIR),
        ([1.0] * 9 + [1.2], Reading.POOR),
        ([1.0] * 10, Reading.OPEN),
    ],
)
def test_a_level_that_is_worse_than_a_gaussian_is_named(
    ratio: list[float], reading: Reading
) -> None:
    found = merits(losses_held_out=losses(ratio))["level_loss"]
    assert found.reading is reading
    assert found.number == pytest.approx(min(ratio), abs=1e-6)
    if reading in (Reading.FAIR, Reading.POOR):
        assert "σ = 20 " in found.verdict


def test_levels_that_sampling_leaves_out_are_not_judged() -> None:
    known = facts("images")  # sampled from 20 to 0.12
    for worse, reading in ((3, Reading.GOOD), (4, Reading.FAIR)):
        shown = replace(known, losses_train=losses([3.0] * worse + [0.9] * (10 - worse)))
        found = {merit.key: merit for merit in density_merits(shown)}
        assert found["level_loss"].reading is reading


@pytest.mark.parametrize(
    ("values", "reading"),
    [
        ([3.0, 2.0, 1.0, 0.5], Reading.FAIR),  # still falling
        ([3.0, 1.0, 2.0, 2.5, 3.0], Reading.FAIR),  # long past its best
        ([3.0, 2.0, 1.0, 1.1], Reading.GOOD),
    ],
)
def test_a_training_that_was_too_short_or_too_long_is_told(
    values: list[float], reading: Reading
) -> None:
    records = tuple(
        {"step": 10 * (k + 1), "validation": value} for k, value in enumerate(values)
    )  # fmt: skip
    subject = replace(facts("table").subject, records=records)
    found = merits(subject=subject)["best_step"]
    assert found.reading is reading
    assert found.number == 10 * (1 + int(np.argmin(values)))
    assert "best_step" not in merits(subject=replace(subject, records=records[:2]))
