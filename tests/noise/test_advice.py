"""The adviser against NCSNv2's formulae by hand and the settings it published."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise import Ladder, NoiseAdvice, advise, advise_for
from scorematching.noise import advice as advice_module
from scorematching.noise.distances import diameter
from scorematching.random import normal, seeded, uniform

LIKE = torch.zeros(1, dtype=torch.float64)


def like_cifar10() -> Tensor:
    """Pixels on [0, 1], two images 50 apart, the rest nearer: (n, 3, 32, 32)."""
    x = uniform((64, 3072), torch.zeros(1), seeded("pixels"))
    x[0] = 0
    x[1] = 0
    x[1, :2500] = 1
    return x.reshape(64, 3, 32, 32)


def by_hand(d: int, sigma_max: float, sigma_min: float, n_steps_each: int) -> tuple[float, float]:
    """L and ε by the equations of techniques 2 and 4."""
    root = math.sqrt(2 * d)
    ratio = brentq(
        lambda g: norm.cdf(root * (g - 1) + 3 * g) - norm.cdf(root * (g - 1) - 3 * g) - 0.5,
        1.0001,
        1.2,
    )

    def excess(epsilon: float) -> float:
        a = epsilon / sigma_min**2
        rest = 2 * epsilon / (sigma_min**2 - sigma_min**2 * (1 - a) ** 2)
        return abs((1 - a) ** (2 * n_steps_each) * (ratio**2 - rest) + rest - 1)

    options = {"xatol": 1e-6 * sigma_min**2}
    bounds = (1e-4 * sigma_min**2, sigma_min**2)
    epsilon = minimize_scalar(excess, bounds=bounds, method="bounded", options=options).x
    return 1 + math.log(sigma_max / sigma_min) / math.log(ratio), epsilon


def test_data_like_cifar_10_get_the_published_settings() -> None:
    """σ_max = 50, L = 232, T = 5, ε = 6.2e-6 are published; 219 and 6.5e-6 are the formulae."""
    advice = advise(like_cifar10())
    levels, epsilon = by_hand(3072, 50.0, 0.01, 5)
    assert advice.sigma_max == pytest.approx(50.0, rel=1e-6)
    assert advice.sigma_min == pytest.approx(0.01, rel=1e-6)
    assert advice.n_steps_each == 5
    assert advice.n_levels == pytest.approx(levels, rel=0.05)
    assert advice.n_levels == pytest.approx(232, rel=0.05)
    assert advice.step_size == pytest.approx(epsilon, rel=0.05)
    assert advice.step_size == pytest.approx(6.2e-6, rel=0.05)
    assert advice.ema_decay == 0.999
    assert advice_numbers(advice_of_statistics()) == pytest.approx(advice_numbers(advice), rel=1e-5)


def advice_of_statistics() -> NoiseAdvice:
    return advise_for(3072, 50.0, 0.01)


def advice_numbers(advice: NoiseAdvice) -> tuple[float, ...]:
    return (
        advice.sigma_max,
        advice.sigma_min,
        advice.n_levels,
        advice.n_steps_each,
        advice.step_size,
        advice.ema_decay,
    )


def test_the_ladder_and_the_options_are_ready_to_use() -> None:
    advice = advise_for(3072, 50.0, 0.01)
    assert advice.ladder == Ladder.geometric(0.01, 50.0, 228)
    assert advice.langevin == {"step_size": advice.step_size, "n_steps_each": 5}


def test_where_shells_do_not_bind_the_ratio_is_kept_small_and_the_steps_many() -> None:
    for d in (1, 2, 10, 100):
        advice = advise_for(d, 15.0, 0.1)
        levels = advice.ladder.levels
        assert 1.035 < levels[1] / levels[0] <= 1.04
        assert advice.n_steps_each == 30


def test_steps_a_level_fall_with_the_work_and_not_below_five() -> None:
    steps = [advise_for(d, 50.0, 0.01).n_steps_each for d in (64, 784, 2000, 3072, 200_000)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == 30
    assert steps[-1] == 5
    assert 5 < steps[2] < 30


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1e12])
def test_units_do_not_matter(factor: float) -> None:
    x = normal((200, 3), LIKE, seeded("units"))
    one, other = advise(x), advise(x * factor)
    assert (other.n_levels, other.n_steps_each) == (one.n_levels, one.n_steps_each)
    assert other.sigma_max == pytest.approx(factor * one.sigma_max)
    assert other.sigma_min == pytest.approx(factor * one.sigma_min)
    assert other.step_size == pytest.approx(factor**2 * one.step_size)


def test_an_offset_of_a_column_does_not_matter() -> None:
    for d in (3, 50):  # where neighbours decide the lowest level, and where the range does
        x = normal((200, d), LIKE, seeded("offset", d))
        moved = x + 1e3 * torch.arange(d)
        assert advise(moved).sigma_min == pytest.approx(advise(x).sigma_min, rel=1e-6)


@pytest.mark.parametrize("event", [(), (1,), (12,), (2, 6), (3, 2, 2)])
def test_all_event_shapes_get_the_advice_of_the_flattened_rows(event: tuple[int, ...]) -> None:
    x = normal((50, math.prod(event)), LIKE, seeded("event"))
    assert advise(x.reshape(50, *event)) == advise(x)


def test_narrow_modes_lower_the_lowest_level() -> None:
    """Two modes ±5 of standard deviation s: a quarter of the scale of neighbours, below s/4."""
    z = normal((400, 2), LIKE, seeded("modes"))
    centre = torch.where(torch.arange(400)[:, None] % 2 == 0, 5.0, -5.0)
    wide, narrow = advise(centre + z), advise(centre + 0.01 * z)
    assert 0.0005 < narrow.sigma_min < 0.0025
    assert 0.05 < wide.sigma_min <= 0.15


def test_what_is_given_is_kept_and_the_rest_follows() -> None:
    x = normal((100, 4), LIKE, seeded("given"))
    advice = advise(x, sigma_max=7.0, sigma_min=0.2, n_levels=10, n_steps_each=3)
    assert advice_numbers(advice)[:4] == (7.0, 0.2, 10, 3)
    free = advise(x, sigma_max=7.0, sigma_min=0.2)
    assert free.n_levels == 1 + math.ceil(math.log(35) / math.log(1.04))
    assert advice.step_size > free.step_size
    given = [reason.name for reason in advice.reasons if reason.why.startswith("Given.")]
    assert given == ["sigma_max", "sigma_min", "n_levels", "n_steps_each"]
    assert not [reason for reason in free.reasons[2:] if reason.why.startswith("Given.")]


def test_every_setting_is_printed_with_its_reason() -> None:
    advice = advise(normal((100, 4), LIKE, seeded("print")))
    text = str(advice)
    names = [line.split(" = ")[0] for line in text.splitlines() if not line.startswith(" ")]
    expected = ["sigma_max", "sigma_min", "n_levels", "score", "n_steps_each", "step_size"]
    assert names == [*expected, "ema_decay"]
    for number in (1, 2, 3, 4, 5):
        assert f"Technique {number}:" in text
    assert f"n_levels = {advice.n_levels}" in text
    assert f"step_size = {advice.step_size:.4g}" in text
    assert max(map(len, text.splitlines())) <= 88


def running(advice: NoiseAdvice) -> str:
    """The printed text without its line breaks."""
    return " ".join(str(advice).split())


def test_few_relaxations_are_said() -> None:
    few, many = running(advise_for(3072, 50.0, 0.01)), running(advise_for(2, 50.0, 0.01))
    assert "forgets itself 8 times" in few
    assert "shares of far modes lag behind" in few
    assert "lag behind:" not in many


def test_rows_not_compared_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal((300, 4), LIKE, seeded("outer"))
    assert "not all compared" not in running(advise(x))
    monkeypatch.setattr(advice_module, "diameter", lambda x: diameter(x, 20))
    assert "they were not all compared" in running(advise(x))


@pytest.mark.parametrize(
    ("rows", "options", "complaint"),
    [
        (torch.zeros(1, 2), {}, "two rows or more: got 1"),
        (torch.ones(5, 2), {}, "all 5 rows are the same"),
        (torch.full((5, 2), math.nan), {}, "x must be finite"),
        (torch.eye(3), {"sigma_min": 2.0}, "sigma_min = 2.0, sigma_max = 1.41"),
        (torch.eye(3), {"sigma_max": -1.0}, "sigma_max = -1.0"),
        (torch.eye(3), {"n_levels": 1}, "at least two levels: got 1"),
        (torch.eye(3), {"n_steps_each": 0}, "n_steps_each must be an integer of at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    rows: Tensor, options: dict[str, float], complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        advise(rows, **options)
