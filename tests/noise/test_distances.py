"""Distances between rows against all pairs by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import distances
from scorematching.noise.distances import diameter, local_scale
from scorematching.random import normal, seeded

LIKE = torch.zeros(1, dtype=torch.float64)


def all_pairs(x: Tensor) -> float:
    return torch.cdist(x.flatten(1), x.flatten(1)).max().item()


@pytest.mark.parametrize("event", [(), (1,), (3,), (2, 3), (2, 1, 3, 2)])
@pytest.mark.parametrize("n", [2, 3, 200])
def test_it_is_the_largest_distance_of_all_pairs(n: int, event: tuple[int, ...]) -> None:
    x = normal((n, *event), LIKE, seeded("rows", n))
    found = diameter(x)
    assert found.value == pytest.approx(all_pairs(x.reshape(n, -1)), rel=1e-12)
    assert found.bound == found.value


def test_blocks_do_not_hide_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_BLOCK", 7)
    for seed in range(20):
        x = normal((60, 2), LIKE, seeded("blocks", seed))
        assert diameter(x).value == pytest.approx(all_pairs(x), rel=1e-12)


def test_of_many_rows_the_outer_ones_decide_and_the_bound_holds() -> None:
    for seed in range(20):
        x = normal((300, 3), LIKE, seeded("many", seed))
        found, truth = diameter(x, max_rows=30), all_pairs(x)
        assert found.value <= truth * (1 + 1e-12) <= found.bound * (1 + 2e-12)
        assert found.value >= 0.95 * truth
    far = torch.cat([x, torch.tensor([[50.0, 0, 0], [-50.0, 0, 0]], dtype=x.dtype)])
    found = diameter(far, max_rows=30)
    assert found.value == found.bound == 100.0


def test_a_row_that_is_not_among_the_outer_ones_may_end_the_widest_pair() -> None:
    """A cluster of 40 at (−2, 0), a far row at (10, 1): only three of the cluster are compared."""
    x = normal((40, 2), LIKE, seeded("cluster")) * 0.5 - torch.tensor([2.0, 0.0])
    x = torch.cat([x, torch.tensor([[10.0, 1.0]], dtype=x.dtype)])
    assert diameter(x, max_rows=4).value == pytest.approx(all_pairs(x), rel=1e-12)


@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e12, 1e30])
def test_units_do_not_matter(factor: float) -> None:
    x = normal((100, 5), LIKE, seeded("units")).float()
    assert diameter(x * factor).value == pytest.approx(factor * diameter(x).value, rel=1e-5)
    assert local_scale(x * factor) == pytest.approx(factor * local_scale(x), rel=1e-5)


def test_an_offset_does_not_matter() -> None:
    x = normal((100, 5), LIKE, seeded("offset"))
    assert diameter(x + 1e6).value == pytest.approx(diameter(x).value, rel=1e-8)
    assert local_scale(x + 1e6) == pytest.approx(local_scale(x), rel=1e-6)


def test_the_scale_of_neighbours_is_that_of_the_narrow_mode() -> None:
    """In 100 dimensions two rows of N(0, s²I) are √200 s apart, all nearly alike."""
    z = normal((400, 100), LIKE, seeded("modes"))
    x = torch.cat([0.2 * z[:100], 10 + 3 * z[100:]])
    assert local_scale(x) == pytest.approx(0.2, rel=0.1)
    assert local_scale(3 * z) == pytest.approx(3.0, rel=0.15)


def test_the_scale_of_neighbours_by_hand() -> None:
    """0, 1, …, 19 on the line: one neighbour is 5%, at distance 1, over √2."""
    x = torch.arange(20, dtype=torch.float64)
    assert local_scale(x) == pytest.approx(1 / math.sqrt(2))


def test_copies_have_no_scale() -> None:
    x = torch.zeros(50, 3)
    assert diameter(x).value == 0
    assert local_scale(x) == 0


def test_rows_that_cannot_be_measured_are_refused() -> None:
    bad = torch.zeros(4, 2)
    bad[2, 1] = math.nan
    for measure in (diameter, local_scale):
        with pytest.raises(InvalidInput, match="two rows or more: got 1"):
            measure(torch.zeros(1, 2))
        with pytest.raises(
            InvalidInput, match=r"x must be finite: 1 rows are not, the first is row 2"
        ):
            measure(bad)
        with pytest.raises(InvalidInput, match="floating-point"):
            measure(torch.zeros(4, 2, dtype=torch.int64))
