"""Laws of the training time."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from scorematching.errors import InvalidInput
from scorematching.noise import EDM, VE, VP, Ladder
from scorematching.objectives import LogNormalTimes, UniformLevels, UniformTimes
from scorematching.objectives.times import quantiles
from scorematching.random import seeded

LIKE = torch.zeros(1, dtype=torch.float64)
N = 20_000


@pytest.mark.parametrize("stratified", [False, True])
def test_uniform_times_are_uniform_on_the_range(stratified: bool) -> None:
    t = UniformTimes(stratified)(VP(t_min=0.1), N, LIKE, seeded("uniform", int(stratified)))
    law = stats.uniform(0.1, 0.9)
    assert t.min() >= 0.1
    assert t.max() <= 1.0
    assert stats.kstest(t.numpy(), law.cdf).pvalue > 1e-4
    for k in (1, 2):
        powers = t**k
        assert abs(powers.mean() - law.moment(k)) < 4 * powers.std() / math.sqrt(N)


def test_stratified_draws_put_one_row_into_each_slice() -> None:
    u = quantiles(N, LIKE, seeded("strata"), stratified=True)
    assert torch.equal((u * N).floor(), torch.arange(N, dtype=u.dtype))
    inside = (u * N - torch.arange(N, dtype=u.dtype)).numpy()
    assert stats.kstest(inside, stats.uniform.cdf).pvalue > 1e-4


def test_stratified_draws_take_the_noise_of_the_level_out_of_a_mean() -> None:
    """Var of the mean of u² over 100 rows: of the order 1/n³ instead of 1/n."""

    def spread(stratified: bool) -> float:
        draws = [
            (quantiles(100, LIKE, seeded("spread", i), stratified=stratified) ** 2).mean()
            for i in range(200)
        ]
        return torch.stack(draws).std().item()

    assert spread(False) == pytest.approx(math.sqrt(4 / 45 / 100), rel=0.2)
    assert spread(True) == pytest.approx(math.sqrt(4 / 3 / 12 / 100**3), rel=0.2)


@pytest.mark.parametrize("stratified", [False, True])
def test_log_normal_times_are_log_normal(stratified: bool) -> None:
    process = EDM(1e-9, 1e9)
    t = LogNormalTimes(-0.7, 1.3, stratified)(process, N, LIKE, seeded("normal", int(stratified)))
    y = (t.log() + 0.7) / 1.3
    assert stats.kstest(y.numpy(), stats.norm.cdf).pvalue > 1e-4
    for k, truth in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        assert abs((y**k).mean() - truth) < 4 * (y**k).std() / math.sqrt(N)


def test_log_normal_times_are_kept_within_the_range() -> None:
    process = EDM(0.2, 0.5)
    t = LogNormalTimes()(process, N, LIKE, seeded("clamp"))
    assert t.min() == 0.2
    assert t.max() == 0.5
    below = stats.norm.cdf((math.log(0.2) + 1.2) / 1.2)
    assert (t == 0.2).double().mean() == pytest.approx(below, abs=1e-3)


def test_levels_are_drawn_uniformly() -> None:
    ladder = Ladder((0.1, 0.2, 0.4, 0.8, 1.6))
    t = UniformLevels()(ladder, N, LIKE, seeded("levels"))
    counts = torch.bincount(t.long(), minlength=5)
    assert torch.equal(t, t.round())
    assert len(counts) == 5
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("process", [VE(), VP(), EDM()])
def test_levels_of_a_process_without_levels_are_refused(process: object) -> None:
    with pytest.raises(InvalidInput, match=r"levels of a Ladder: got .* Use UniformTimes\(\)"):
        UniformLevels()(process, 3, LIKE, None)


@pytest.mark.parametrize(
    ("times", "process"),
    [
        (UniformTimes(), VP()),
        (UniformTimes(stratified=True), VE()),
        (LogNormalTimes(), EDM()),
        (UniformLevels(), Ladder((1.0, 2.0))),
    ],
)
def test_draws_follow_the_dtype_and_the_generator(times: object, process: object) -> None:
    for dtype in (torch.float32, torch.float64):
        like = torch.zeros(3, 2, dtype=dtype)
        t = times(process, 1000, like, seeded(0))
        assert t.dtype == dtype
        assert t.shape == (1000,)
        assert t.isfinite().all()
        assert process.t_min <= t.min()
        assert t.max() <= process.t_max
        assert torch.equal(t, times(process, 1000, like, seeded(0)))
        assert not torch.equal(t, times(process, 1000, like, None))


@pytest.mark.parametrize("std", [0.0, -1.0, math.nan])
def test_a_spread_that_is_not_positive_is_refused(std: float) -> None:
    with pytest.raises(InvalidInput, match="std must be positive"):
        LogNormalTimes(std=std)
