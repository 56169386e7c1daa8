"""A ladder of levels: whole numbers are levels, and ln σ is linear between them."""

from __future__ import annotations

import math

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.noise import Ladder

LEVELS = (0.1, 0.5, 0.6, 3.0)


def times(*t: float) -> torch.Tensor:
    return torch.tensor(t, dtype=torch.float64)


def test_whole_numbers_are_levels() -> None:
    ladder = Ladder(LEVELS)
    torch.testing.assert_close(ladder.sigma(times(0, 1, 2, 3)), times(*LEVELS))
    assert (ladder.t_min, ladder.t_max) == (0.0, 3.0)
    assert torch.equal(ladder.alpha(times(0, 1)), times(1, 1))
    for i, level in enumerate(LEVELS):
        torch.testing.assert_close(ladder.sigma(times(i)[0]), times(level)[0])


def test_between_levels_the_logarithm_is_linear() -> None:
    middle = [math.sqrt(a * b) for a, b in ((0.1, 0.5), (0.5, 0.6), (0.6, 3.0))]
    torch.testing.assert_close(Ladder(LEVELS).sigma(times(0.5, 1.5, 2.5)), times(*middle))
    quarter = 0.1**0.75 * 0.5**0.25
    torch.testing.assert_close(Ladder(LEVELS).sigma(times(0.25)), times(quarter))


def test_the_diffusion_is_the_slope_of_its_own_segment() -> None:
    """g² = 2σ² d ln σ/dt; at a level, of the segment above, at the last of the one below."""
    t, segment = times(0, 0.5, 1, 1.7, 2, 3), [0, 0, 1, 1, 2, 2]
    ladder = Ladder(LEVELS)
    slope = times(*(math.log(LEVELS[i + 1] / LEVELS[i]) for i in segment))
    torch.testing.assert_close(ladder.diffusion_squared(t), 2 * ladder.sigma(t) ** 2 * slope)
    assert not ladder.drift_rate(t).any()


def test_the_time_of_a_level_is_its_number() -> None:
    ladder = Ladder(LEVELS)
    torch.testing.assert_close(ladder.time_of(times(*LEVELS)), times(0, 1, 2, 3))
    torch.testing.assert_close(ladder.time_of(times(math.sqrt(0.05))), times(0.5))


def test_a_geometric_ladder_has_a_constant_ratio_and_its_ends() -> None:
    ladder = Ladder.geometric(0.01, 50.0, 10)
    ratios = [b / a for a, b in zip(ladder.levels, ladder.levels[1:], strict=False)]
    assert len(ladder.levels) == 10
    assert ladder.levels[0] == 0.01
    assert ladder.levels[-1] == 50.0
    assert ratios == pytest.approx([5000 ** (1 / 9)] * 9, rel=1e-12)
    assert Ladder.geometric(1.0, 2.0, 2).levels == (1.0, 2.0)


def test_levels_are_kept_as_plain_numbers() -> None:
    ladder = Ladder(torch.tensor([1.0, 2.0]))
    assert ladder.levels == (1.0, 2.0)
    assert ladder == Ladder((1, 2))
    assert all(type(level) is float for level in ladder.levels)


@pytest.mark.parametrize(
    ("levels", "complaint"),
    [
        ((), "at least two levels: got 0"),
        ((1.0,), "at least two levels: got 1"),
        ((2.0, 1.0), "got 2.0 before 1.0. Sort them"),
        ((1.0, 1.0), "got 1.0 before 1.0"),
        ((0.0, 1.0), "got 0.0 before 1.0"),
        ((1.0, math.inf), "got 1.0 before inf"),
        ((1.0, math.nan, 2.0), "got 1.0 before nan"),
    ],
)
def test_levels_that_do_not_rise_are_refused(levels: tuple[float, ...], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Ladder(levels)


def test_a_geometric_ladder_of_one_level_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least two levels: got 1"):
        Ladder.geometric(0.1, 1.0, 1)
    with pytest.raises(InvalidInput, match=r"sigma_min = 2\.0"):
        Ladder.geometric(2.0, 1.0, 3)
