"""ℝᵈ: the loss is that of implicit score matching."""

from __future__ import annotations

import pytest
import torch

import scorematching as sm
from domains.laws import three_fields
from scorematching.domains import Euclidean, weighted_field
from scorematching.errors import InvalidInput
from scorematching.random import normal, seeded

DOUBLE = torch.float64


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_loss_is_that_of_implicit_score_matching(d: int) -> None:
    x = normal((9, d), torch.zeros(1, dtype=DOUBLE), seeded("x", d))
    score = sm.score_of(lambda x: -(x**4).sum(1) / 4 + x.sin().prod(1))
    space = Euclidean(d)
    s = score(x)
    loss = (s * weighted_field(space, x, s)).sum(1) / 2
    loss = loss + space.divergence(lambda x: weighted_field(space, x, score(x)), x)
    torch.testing.assert_close(loss, sm.ism(score, x))


def test_several_fields_have_each_their_divergence() -> None:
    x = normal((9, 3), torch.zeros(1, dtype=DOUBLE), seeded("x"))
    measured = Euclidean(3).divergence(three_fields, x)
    for k in range(3):
        torch.testing.assert_close(
            measured[:, k], sm.divergence(lambda x, k=k: three_fields(x)[:, :, k], x)
        )


def test_rows_that_are_no_points_are_named() -> None:
    x = torch.ones(4, 2, dtype=DOUBLE)
    Euclidean(2).check(x)
    x[2, 1] = torch.nan
    with pytest.raises(InvalidInput, match=r"finite: got nan \(row 2, column 1\)\. Drop or impute"):
        Euclidean(2).check(x)
    x[3, 0] = -torch.inf
    with pytest.raises(InvalidInput, match=r"\(row 2, column 1, and 1 more\)"):
        Euclidean(2).check(x)
    with pytest.raises(InvalidInput, match=r"of 3 columns, shape \(n, 3\): got \(4, 2\)"):
        Euclidean(3).check(x)
    with pytest.raises(InvalidInput, match=r"got \(0, 2\)"):
        Euclidean(2).check(x[:0])
    with pytest.raises(InvalidInput, match=r"got \(4,\)\. For one column use x\[:, None\]"):
        Euclidean(1).check(x[:, 0])
    with pytest.raises(InvalidInput, match="floating-point"):
        Euclidean(2).check(x.long())


@pytest.mark.parametrize("d", [0, -1, 2.0, True])
def test_a_dimension_that_is_none_is_refused(d: object) -> None:
    with pytest.raises(InvalidInput, match=r"Euclidean\(d\) needs an integer d of at least 1"):
        Euclidean(d)
