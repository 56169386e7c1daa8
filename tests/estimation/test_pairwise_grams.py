from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.domains import (
    Log1p,
    MinPower,
    MinSq,
    PositiveOrthant,
    Power,
    ProdSq,
    Weight,
)
from scorematching.errors import InvalidInput
from scorematching.estimation import PairwiseGrams, Quadratic, pairwise_grams, statistic_of
from scorematching.families import Gaussian, PairwiseInteraction
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)
POWERS = [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (1.5, 0.7), (1.0, 0.5)]
WEIGHTS = [MinPower(1, 1), MinPower(2, 1), Power(1), Power(2), Log1p(), MinSq(0.7), ProdSq(2.0)]


def rows(n: int = 50, d: int = 3) -> Tensor:
    return normal((n, d), LIKE, seeded("grams")).square() + 0.01


@pytest.mark.parametrize(("a", "b"), POWERS)
@pytest.mark.parametrize("weight", WEIGHTS, ids=repr)
def test_the_rule_agrees_with_differentiation(a: float, b: float, weight: Weight) -> None:
    family, domain, x = PairwiseInteraction(3, a, b), PositiveOrthant(3, weight=weight), rows()
    by_hand, general = statistic_of(family, domain), Quadratic.of(family, domain)
    assert isinstance(by_hand, PairwiseGrams)
    by_hand, general = by_hand.update(x), general.update(x)
    one, other = by_hand.finalize(), general.finalize()
    scale = other.A.abs().max().item()
    torch.testing.assert_close(one.A, other.A, rtol=1e-11, atol=1e-13 * scale)
    torch.testing.assert_close(one.b, other.b, rtol=1e-11, atol=1e-13 * scale)
    theta = normal((9,), LIKE, seeded("theta"))
    torch.testing.assert_close(
        by_hand.row_gradients(x, theta),
        general.row_gradients(x, theta),
        rtol=1e-10,
        atol=1e-12 * scale,
    )


def test_a_truncated_gaussian_is_the_pairwise_interaction_of_powers_one() -> None:
    domain = PositiveOrthant(3)
    one = statistic_of(Gaussian(3), domain).update(rows()).finalize()
    other = statistic_of(PairwiseInteraction(3, 1, 1), domain).update(rows()).finalize()
    assert torch.equal(one.A, other.A)
    assert torch.equal(one.b, other.b)


def test_portions_merge_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x, empty = rows(), PairwiseGrams.of(PairwiseInteraction(3, 0.5, 0), PositiveOrthant(3))
    whole = empty.update(x).finalize()
    monkeypatch.setattr(pairwise_grams, "CELLS", 40)  # six rows at a time
    parts = empty.update(x[:11]).merge(empty.update(x[11:])).finalize()
    assert parts.n == 50
    torch.testing.assert_close(parts.A, whole.A, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(parts.b, whole.b, rtol=1e-12, atol=1e-13)


def test_rows_that_cannot_be_used_are_named() -> None:
    empty = PairwiseGrams.of(PairwiseInteraction(3, 0.5, 0.5), PositiveOrthant(3))
    x = rows()
    x[7, 1] = 0.0
    with pytest.raises(InvalidInput, match="row 7 is not finite"):
        empty.update(x)
    x[9, 0] = -1.0
    with pytest.raises(InvalidInput, match="row 9"):
        empty.update(x)
