from __future__ import annotations

import torch
from torch import Tensor

from scorematching.estimation.slopes import NONE, Slopes, joined
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)


def some(q: int, which: list[list[int]], name: str = "some") -> Slopes:
    """Of two rows and two columns, along 4 directions."""
    return Slopes(4, normal((q, 2, 2), LIKE, seeded(name, q)), torch.tensor(which)[:, None])


def test_a_direction_that_occurs_twice_is_added_up_and_none_is_left_out() -> None:
    slopes = some(2, [[0, 3], [0, NONE]])
    dense = slopes.dense()
    torch.testing.assert_close(dense[0, :, 0], slopes.values[:, :, 0].sum(0))
    torch.testing.assert_close(dense[3, :, 1], slopes.values[0, :, 1])
    assert not dense[1:3].any()
    assert not dense[0, :, 1].any()


def test_sums_and_products_of_sparse_slopes_are_those_of_dense_ones() -> None:
    one, other = some(1, [[0, 3]]), some(2, [[1, 3], [0, 2]], "other")
    total = one.plus(other, torch.Size([2, 2]))
    assert total.which is not None
    torch.testing.assert_close(total.dense(), one.dense() + other.dense())
    torch.testing.assert_close(one.dot(other), (one.dense() * other.dense()).sum(0))
    torch.testing.assert_close(other.times(3.0).dense(), 3 * other.dense())


def test_sums_of_the_same_directions_do_not_grow() -> None:
    one = some(1, [[0, 3]])
    assert len(one.plus(one, torch.Size([2, 2])).values) == 1


def test_selecting_columns_selects_their_directions() -> None:
    slopes, value = some(1, [[0, 3]]), torch.zeros(2, 2).double()

    def swap(x: Tensor) -> Tensor:
        return x[:, [1, 0, 1]]

    found = slopes.selected(swap, swap(value))
    assert found.which.tolist() == [[[3, 0, 3]]]
    torch.testing.assert_close(found.dense(), torch.vmap(swap)(slopes.dense()))


def test_a_selection_that_differs_from_row_to_row_is_made_dense() -> None:
    slopes, value = some(1, [[0, 3]]), torch.zeros(2, 2).double()

    def diagonal(x: Tensor) -> Tensor:
        return x[[0, 1], [0, 1]]

    found = slopes.selected(diagonal, diagonal(value))
    assert found.which is None
    torch.testing.assert_close(found.values, torch.vmap(diagonal)(slopes.dense()))


def test_joining_fills_up_with_no_direction() -> None:
    one, two, plain = some(1, [[0, 3]]), some(2, [[1, 1], [2, NONE]]), torch.ones(2, 1).double()

    def cat(*parts: Tensor) -> Tensor:
        return torch.cat(parts, 1)

    found = joined([one, two, plain], cat, torch.zeros(2, 5))
    assert found.which is not None
    assert found.which[:, 0].tolist() == [[0, 3, 1, 1, NONE], [NONE, NONE, 2, NONE, NONE]]
    expected = torch.cat([one.dense(), two.dense(), torch.zeros(4, 2, 1).double()], 2)
    torch.testing.assert_close(found.dense(), expected)
