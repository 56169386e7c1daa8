"""The wording of what is refused: the first row, its value, how many more."""

from __future__ import annotations

import pytest
import torch

from scorematching.domains.checks import check_weight_vanishes, numbers, refuse
from scorematching.errors import InvalidInput


def test_nothing_wrong_is_nothing_said() -> None:
    refuse(torch.tensor([False, False]), torch.ones(2), "x", "y")


def test_the_first_row_is_named_and_the_others_counted() -> None:
    bad = torch.tensor([False, True, True])
    with pytest.raises(
        InvalidInput, match=r"^it must be one: got length 2 \(row 1, and 1 more\)\. Fix it\.$"
    ):
        refuse(bad, torch.tensor([1.0, 2.0, 3.0]), "it must be one", "Fix it.", "length")


def test_a_row_with_two_wrong_values_is_one_row() -> None:
    bad = torch.tensor([[False, False], [True, True]])
    with pytest.raises(InvalidInput, match=r"got 3 \(row 1, column 0\)\."):
        refuse(bad, torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "it must be one", "Fix it.")


def test_a_weight_is_asked_at_each_side() -> None:
    sides = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    check_weight_vanishes(lambda u: u, sides, "")
    check_weight_vanishes(lambda u: u.amin(1), sides, "")
    with pytest.raises(InvalidInput, match="is 1 there"):
        check_weight_vanishes(lambda u: u.flip(1), sides, "")
    with pytest.raises(InvalidInput, match="is 1 there"):
        check_weight_vanishes(lambda u: u[:, 0], sides, "")
    with pytest.raises(InvalidInput, match="got float"):
        check_weight_vanishes(lambda u: 1.0, sides, "")


def test_numbers_are_read_in_double_precision() -> None:
    assert numbers(0.1, "a").dtype == torch.float64
    assert numbers([1, 2], "a").tolist() == [1.0, 2.0]
    with pytest.raises(InvalidInput, match="a must be a number or a row of numbers"):
        numbers([[1.0]], "a")
