"""The measure of the MNIST benchmark, on small made-up images."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.mnist import Digits, Measure, judge, mixture_samples, sheet

from benchmarks import mnist


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten classes of images: a bright bar in one of ten places, with noise."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 10, n)
    images = rng.integers(0, 60, (n, 28, 28))
    for image, place in zip(images, classes, strict=True):
        image[4 + 2 * place : 6 + 2 * place, 4:24] += 150
    return images.astype(np.uint8), classes.astype(np.uint8)


@pytest.fixture(scope="module")
def measure() -> Measure:
    digits = Digits(*bars(400, 0), *bars(200, 1))
    return Measure(judge(digits), digits)


def test_the_judge_knows_the_classes_and_is_the_same_every_time(measure: Measure) -> None:
    assert measure.judge.accuracy > 0.99
    again = judge(measure.digits)
    assert np.array_equal(
        again.features(measure.digits.held_out[:5]),
        measure.judge.features(measure.digits.held_out[:5]),
    )
    total = measure.judge.features(measure.digits.train).var(axis=0, ddof=1).sum()
    assert total == pytest.approx(mnist.TOTAL_VARIANCE)


def test_copies_noise_and_fresh_images_are_told_apart(measure: Measure) -> None:
    fresh, _ = bars(200, 2)
    noise = np.random.default_rng(3).integers(0, 255, (200, 28, 28)).astype(np.uint8)
    found = {
        name: [float(cell) for cell in measure(images)[:3]]
        for name, images in {
            "copies": measure.digits.train[:200],
            "fresh": fresh,
            "noise": noise,
            "mixture": mixture_samples(measure.digits.train, 200),
        }.items()
    }
    assert found["copies"][1:] == [0.0, 1.0]
    assert found["fresh"][1] == pytest.approx(1, abs=0.05)
    assert found["fresh"][2] < 0.05
    assert found["fresh"][0] < found["mixture"][0] < found["noise"][0]
    assert found["noise"][1] > 1.5


def test_the_sheet_shows_every_image_dark_on_white() -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    images[1, 0, 0] = 255
    shown = sheet(images, 2, 1)
    assert shown.shape == (2 * 30 + 2, 2 * 30 + 2)
    assert np.argwhere(shown == 0).tolist() == [[2, 32]]
    assert sheet(images, 2, 3).shape == (186, 186)
