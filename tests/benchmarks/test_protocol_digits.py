"""The digits' metrics: equal to the shared protocol's on a fixed sample, and able to fail."""

import importlib.util
from types import ModuleType

import numpy as np
import pytest
from benchmarks.protocols import digits
from benchmarks.protocols.paths import SHARED

needs_weights = pytest.mark.skipif(
    not digits.WEIGHTS.is_file(), reason="the feature net of ../shared/protocols is absent"
)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    path = SHARED / "protocols" / "digits.py"
    if not path.is_file():
        pytest.skip("the reference protocol ../shared/protocols/digits.py is absent")
    spec = importlib.util.spec_from_file_location("reference_digits", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_weights
def test_metrics_equal_those_of_the_shared_protocol(reference: ModuleType) -> None:
    rng = np.random.default_rng(0)
    samples = digits.split().train[rng.permutation(1437)[:250]]
    samples[:125] += rng.normal(0, 0.4, size=(125, 64))  # off the grey levels and out of range
    samples[3, 5], samples[4, 6] = np.nan, np.inf
    mine, theirs = digits.evaluate(samples).as_dict(), reference.evaluate(samples)
    assert mine["nonfinite"] == theirs["nonfinite"] == 2
    for name, value in mine.items():
        assert value == pytest.approx(theirs[name], abs=1e-3), name


@needs_weights
def test_feature_net_has_total_training_variance_100() -> None:
    train = digits.split().train
    features = digits.feature_net(train)(train)
    assert features.var(axis=0, ddof=1).sum() == pytest.approx(100.0, rel=1e-9)


def test_frechet_distance_of_gaussians_meets_its_closed_form() -> None:
    # diagonal covariances commute: Σ (mᵢ − nᵢ)² + (√aᵢ − √bᵢ)²
    rng = np.random.default_rng(0)
    white = rng.normal(size=(400, 3))
    white = (white - white.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T)).T)
    std_a, std_b, shift = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 0.0]), 0.7
    truth = 3 * shift**2 + ((std_a - std_b) ** 2).sum()
    assert digits.frechet_distance(white * std_a, white * std_b + shift) == pytest.approx(truth)


def test_copies_and_noise_are_told_from_fresh_images() -> None:
    images = digits.split()
    copies = digits.nearest_distance(images.train[:50], images.train)
    fresh = digits.nearest_distance(images.held_out, images.train)
    noise = np.random.default_rng(0).uniform(-1, 1, size=(50, 64)).astype(np.float32)
    assert np.median(copies) < 0.02 * np.median(fresh)
    assert np.median(digits.nearest_distance(noise, images.train)) > 1.5 * np.median(fresh)


def test_rounding_gives_the_17_grey_levels_and_keeps_them() -> None:
    train = digits.split().train
    np.testing.assert_array_equal(digits.rounded(train), train)
    assert len(np.unique(digits.rounded(train + 0.03))) == digits.GREY_LEVELS
