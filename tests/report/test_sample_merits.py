"""What figures of the samples say of samples that are right, wrong, or copies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from report.subjects import facts
from scorematching.data import as_dataset
from scorematching.report.facts import Facts
from scorematching.report.merit import Merit, Reading, in_short, signed
from scorematching.report.sample_merits import sample_merits

RNG = np.random.default_rng(8)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = START


def judged(samples: np.ndarray, held_out: int = 150, **changes: Any) -> dict[str, Merit]:
    """The figures of samples of what should be N(0, I) in the plane."""
    known: Facts = facts("plane")
    train, unseen = RNG.standard_normal((300, 2)), RNG.standard_normal((held_out, 2))
    subject = replace(known.subject, train=as_dataset(train), held_out=as_dataset(unseen))
    spaces = {"train": train, "samples": samples, "held_out": unseen}
    fields = {"subject": subject, "samples": as_dataset(samples), "spaces": spaces, **changes}
    return {merit.key: merit for merit in sample_merits(replace(known, **fields))}


def test_samples_of_the_law_of_the_data_are_good_in_every_figure() -> None:
    found = judged(RNG.standard_normal((400, 2)))
    assert {key: merit.reading for key, merit in found.items()} == {
        "energy_p_value": Reading.GOOD,
        "classifier_accuracy": Reading.GOOD,
        "copies": Reading.GOOD,
        "columns_off": Reading.GOOD,
    }


def test_samples_of_another_law_are_poor_and_the_column_is_named() -> None:
    found = judged(RNG.standard_normal((400, 2)) + np.array([0.0, 2.0]))
    for key in ("energy_p_value", "classifier_accuracy", "columns_off"):
        assert found[key].reading is Reading.POOR
    assert "x[1]" in found["columns_off"].verdict
    assert "x[0]" not in found["columns_off"].verdict
    assert found["copies"].reading is Reading.GOOD


def test_copies_of_training_rows_are_poor_where_everything_else_looks_good() -> None:
    known = RNG.standard_normal((300, 2))
    subject = replace(facts("plane").subject, train=as_dataset(known))
    subject = replace(subject, held_out=as_dataset(RNG.standard_normal((100, 2))))
    spaces = {"train": known, "samples": known[:200], "held_out": subject.held_out.values}  # type: ignore[union-attr]
    found = judged(known[:200], subject=subject, spaces=spaces)
    assert found["copies"].reading is Reading.POOR
    assert found["energy_p_value"].reading is Reading.GOOD


def test_few_rows_are_not_tested() -> None:
    found = judged(RNG.standard_normal((400, 2)), held_out=8)
    assert found["energy_p_value"].reading is Reading.OPEN
    assert found["classifier_accuracy"].reading is Reading.OPEN
    assert found["classifier_accuracy"].number is None


def test_without_held_out_rows_the_figures_say_what_they_compare_with() -> None:
    known = facts("images")
    found = {merit.key: merit for merit in sample_merits(known)}
    assert found["energy_p_value"].name.endswith("training rows")
    assert "a model that copies them would look perfect" in found["classifier_accuracy"].bad
    assert "columns_off" not in found  # pixels have no names worth listing


@pytest.mark.parametrize(("lost", "reading"), [(1, Reading.FAIR), (40, Reading.POOR)])
def test_samples_that_diverged_are_counted(lost: int, reading: Reading) -> None:
    found = judged(RNG.standard_normal((400, 2)), held_out=8, lost=lost)["samples_lost"]
    assert (found.reading, found.shown) == (reading, f"{lost} of {400 + lost}")
    assert "samples_lost" not in judged(RNG.standard_normal((400, 2)), held_out=8)


def test_readings_are_counted_in_words() -> None:
    some = list(judged(RNG.standard_normal((400, 2)) + 3.0, held_out=8).values())
    assert in_short(some) == "4 figures: 1 good, 1 poor, 2 undecided."
    assert signed(-0.256) == "−0.26"
    assert signed(3.0, 1) == "+3.0"


def test_a_program_gets_figures_in_plain_json() -> None:
    for merit in judged(RNG.standard_normal((60, 2))).values():
        fields = merit.fields()
        assert [*fields] == ["key", "name", "value", "std_error", "reading", "verdict"]
        assert fields["reading"] in ("good", "fair", "poor", "cannot tell")
