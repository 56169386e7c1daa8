"""The neural peer: a density in the rows' own units, trained to the right answer."""

import numpy as np
import pytest
from benchmarks.protocols.tables import Split
from benchmarks.spline_flow import FlowSettings, SplineFlowPeer, trained


def gaussian_split() -> Split:
    rng = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.8], [0.0, 0.6]])
    return Split(*(rng.normal(size=(n, 2)) @ mixing for n in (1000, 300, 2000)))


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_density_integrates_to_one_whatever_the_scale(scale: float) -> None:
    settings = FlowSettings(transforms=2, hidden=(16,), scale=scale, max_epochs=3)
    flow = trained(gaussian_split(), settings, seed=0)
    axis = np.linspace(-16, 16, 641)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = np.exp(flow.log_density(grid)).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=0.01)


def test_the_flow_learns_a_correlated_gaussian_and_draws_from_it() -> None:
    split = gaussian_split()
    settings = FlowSettings(transforms=2, hidden=(32,), batch=64, max_epochs=25)
    fit = SplineFlowPeer("flow", (settings,)).fit(split, seed=0)
    # entropy of N(0, C), |C| = 0.36
    truth = -np.log(2 * np.pi * np.e) - 0.5 * np.log(0.36)
    assert truth - 0.1 < fit.test.mean() < truth + 4 / np.sqrt(2000)
    assert np.corrcoef(fit.samples.T)[0, 1] == pytest.approx(0.8, abs=0.06)


def test_a_seed_fixes_the_flow() -> None:
    split, settings = gaussian_split(), FlowSettings(transforms=1, hidden=(8,), max_epochs=1)
    runs = [trained(split, settings, seed=seed).log_density(split.test) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0], runs[2])
