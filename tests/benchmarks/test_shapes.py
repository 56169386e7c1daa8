"""The benchmark of shapes: patches, turned shares, and what a class needs."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.shape_judge import Verdict
from benchmarks.shapes import SHARES, dispersion, gaps, greys, needed, patches, turned, whole

from benchmarks import shapes as benchmark
from scorematching.data import SHAPES, shapes


def test_patches_are_a_permutation_and_hold_neighbours() -> None:
    images = np.arange(2 * 784.0).reshape(2, 1, 28, 28)
    rows = patches(images)
    assert rows.shape == (2, 4, 14, 14)
    assert rows[0, :, 0, 0].tolist() == [0.0, 1.0, 28.0, 29.0]
    np.testing.assert_array_equal(whole(rows), images)
    assert sorted(rows.ravel().tolist()) == images.ravel().tolist()


def test_greys_are_whole_and_within_range() -> None:
    rows = patches(np.linspace(-20, 300, 784).reshape(1, 1, 28, 28))
    found = greys(rows)
    assert (found.min(), found.max()) == (0.0, 255.0)
    np.testing.assert_array_equal(found, np.round(found))


def test_turned_shares_give_each_class_each_share_once() -> None:
    shares = SHARES["unbalanced"]
    table = np.array([turned(shares, k) for k in range(4)])
    assert [table[k, k] for k in range(4)] == [0.05] * 4
    assert turned(shares, 3) == shares
    for columns in (table, table.T):
        assert [sorted(row.tolist()) for row in columns] == [sorted(shares)] * 4


def test_dispersion_is_the_variance_over_the_mean_square() -> None:
    images = shapes(300, (0, 0, 1, 0)).images
    mean = images.mean(0)
    expected = 1 - (mean**2).sum() / (images**2).sum((1, 2, 3)).mean()
    assert dispersion(2, n=300) == pytest.approx(expected)


def test_a_class_with_a_tilt_needs_more_images() -> None:
    found = [needed(k, 0.35, n_new=100, doublings=3) for k in range(len(SHAPES))]
    assert min(found[2:]) > 1.5 * max(found[:2])  # those with corners
    assert needed(0, 0.3, n_new=100, doublings=3) > found[0]


def test_the_gap_is_that_to_the_nearest_of_the_first_images() -> None:
    images = shapes(35, (1, 0, 0, 0)).images.reshape(35, -1)
    old, new = images[:20], images[-5:]
    squares = ((new[:, None] - old) ** 2).sum(2)
    expected = [squares[:, :m].min(1).sum() / (new**2).sum() for m in (10, 20)]
    found = gaps(0, [10, 30], n_new=5)
    assert found[0] == pytest.approx(expected[0])
    assert found[1] <= expected[1]


class _Draws:
    """In place of a fit: real images of the shares it was given."""

    def __init__(self, shares: tuple[float, ...]) -> None:
        self.shares = shares

    def sample(self, n: int, seed: int) -> np.ndarray:
        return patches(shapes(n, self.shares, seed=seed).images)


def test_the_rotation_is_filled_in_by_class_and_share(monkeypatch: pytest.MonkeyPatch) -> None:
    classes: list[np.ndarray] = []

    def fake_fit(name: str, shares: tuple[float, ...], rows: int, steps: int) -> _Draws:
        classes.append(shapes(200, shares, seed=1).classes)
        assert name == f"rare-{SHAPES[shares.index(0.05)]}"
        return _Draws(shares)

    def rejects_the_rare(images: np.ndarray) -> Verdict:
        rare = np.bincount(classes[-1]) == 10
        return Verdict(~rare[classes[-1]], classes[-1])

    monkeypatch.setattr(benchmark, "N_SAMPLES", 200)
    monkeypatch.setattr(benchmark, "fitted", fake_fit)
    monkeypatch.setattr(benchmark, "kept", lambda folder: rejects_the_rare)
    lines = benchmark.rotation_table().splitlines()
    assert [each.strip() for each in lines[0].split("|")[2:-1]] == ["60%", "20%", "15%", "5%"]
    for name, line in zip(SHAPES, lines[2:], strict=True):
        found = [each.strip() for each in line.split("|")[1:-1]]
        assert found == [name, "100%", "100%", "100%", "0%"]
