"""Which classes samples have: those asked for, or drawn as often as in the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scorematching.data import ArraySchema, LabelSchema
from scorematching.errors import InvalidInput
from scorematching.labelling import drawn_classes, sample_classes

TEXT = ArraySchema((2,), label=LabelSchema("kind", ("ham", "spam")))
WHOLE = ArraySchema((2,), label=LabelSchema("digit", ("0", "1", "7"), integer=True))
BARE = ArraySchema((2,))


def test_classes_are_drawn_by_their_frequencies() -> None:
    frequencies = (0.05, 0.0, 0.7, 0.25)
    n = 20_000
    shares = torch.bincount(drawn_classes(frequencies, n, 3), minlength=4) / n
    for share, p in zip(shares.tolist(), frequencies, strict=True):
        assert abs(share - p) <= 4 * (p * (1 - p) / n) ** 0.5


def test_more_draws_begin_with_the_fewer_and_seeds_differ() -> None:
    many = drawn_classes((0.5, 0.5), 500, 0)
    assert torch.equal(drawn_classes((0.5, 0.5), 70, 0), many[:70])
    assert not torch.equal(drawn_classes((0.5, 0.5), 500, 1), many)


@pytest.mark.parametrize(
    ("labels", "schema", "expected"),
    [
        ("spam", TEXT, [1, 1, 1]),
        (["ham", "spam", "ham"], TEXT, [0, 1, 0]),
        (np.array(["ham", "spam", "ham"]), TEXT, [0, 1, 0]),
        (7, WHOLE, [2, 2, 2]),
        (np.int64(7), WHOLE, [2, 2, 2]),
        (torch.tensor(1), WHOLE, [1, 1, 1]),
        ((0, 1, 7), WHOLE, [0, 1, 2]),
        (torch.tensor([7, 1, 0]), WHOLE, [2, 1, 0]),
    ],
)
def test_one_class_for_all_rows_or_one_a_row(labels: Any, schema: Any, expected: list[int]) -> None:
    classes = sample_classes(labels, 3, 0, schema, (0.5, 0.5))
    assert classes is not None
    assert classes.tolist() == expected


def test_what_is_not_asked_for_is_drawn_where_there_are_classes() -> None:
    assert sample_classes(None, 3, 0, BARE, None) is None
    drawn = sample_classes(None, 9, 5, TEXT, (0.5, 0.5))
    assert drawn is not None
    assert torch.equal(drawn, drawn_classes((0.5, 0.5), 9, 5))


@pytest.mark.parametrize(
    ("labels", "schema", "message"),
    [
        ("ham", BARE, "fitted without labels: leave labels out"),
        (["ham"], TEXT, "one for each of 3 rows: got 1"),
        ("eggs", TEXT, "'eggs' is none of the classes ham, spam"),
        (3, WHOLE, "'3' is none of the classes 0, 1, 7"),
        ([0.5, 1.0, 7.0], WHOLE, "must hold text or whole numbers"),
        (["ham", None, "spam"], TEXT, "missing"),
        ([["ham"], ["ham", "spam"], []], TEXT, "cannot be made an array"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, schema: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sample_classes(labels, 3, 0, schema, (0.5, 0.5))
