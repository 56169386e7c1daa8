"""Ways of spoiling shapes: each does what it says, and none leaves the image what it was."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.shape_spoilers import (
    LEARNT,
    UNSEEN,
    Array,
    averaged,
    blurred,
    broken,
    cut,
    morphed,
    overlaid,
    shuffled,
)

from scorematching.data.drawn_shapes import SHAPES, Outlines

N = 80
WAYS = (*LEARNT, *UNSEEN)


@pytest.fixture
def outlines() -> Outlines:
    return Outlines.random(np.arange(N) % len(SHAPES), np.random.default_rng(0))


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_changes_each_image_and_stays_in_range(way, outlines: Outlines) -> None:  # type: ignore[no-untyped-def]
    spoiled: Array = way(outlines, rng())
    assert spoiled.shape == (N, 28, 28)
    assert (spoiled.min() >= 0.0, spoiled.max() <= 1.0 + 1e-12) == (True, True)
    changed = np.abs(spoiled - outlines.drawn()).max(axis=(1, 2))
    assert (changed > 0.15).mean() > 0.97  # two shapes may lie on one another, or a grey fit in
    np.testing.assert_array_equal(spoiled, way(outlines, rng()))


def test_cuts_and_gaps_only_take_away(outlines: Outlines) -> None:
    whole = outlines.drawn()
    for way, least, most in ((cut, 0.1, 0.9), (broken, 0.4, 0.97)):
        left = way(outlines, rng())
        assert (left <= whole).all()
        part = left.sum((1, 2)) / whole.sum((1, 2))
        assert (part.min() > least, part.max() < most) == (True, True)


def test_blurring_keeps_the_ink_and_spreads_it(outlines: Outlines) -> None:
    whole, spread = outlines.drawn(), blurred(outlines, rng())
    np.testing.assert_allclose(spread.sum((1, 2)), whole.sum((1, 2)), rtol=1e-6)
    assert ((spread**2).sum((1, 2)) < 0.8 * (whole**2).sum((1, 2))).all()


def test_shuffling_keeps_every_tile(outlines: Outlines) -> None:
    tiles = [
        np.sort(x.reshape(N, 4, 7, 4, 7).sum((2, 4)).reshape(N, 16), axis=1)
        for x in (outlines.drawn(), shuffled(outlines, rng()))
    ]
    np.testing.assert_allclose(tiles[0], tiles[1], rtol=0, atol=1e-12)


def test_blends_hold_the_image_itself(outlines: Outlines) -> None:
    whole = outlines.drawn()
    assert (overlaid(outlines, rng()) >= whole).all()
    assert (averaged(outlines, rng()) >= 0.35 * whole - 1e-12).all()


def test_a_morph_lies_between_two_classes_of_the_same_parameters() -> None:
    circle = Outlines.random(np.zeros(N, dtype=np.int64), np.random.default_rng(2))
    between = morphed(circle, rng())
    others = [
        Outlines(**{**vars(circle), "classes": np.full(N, k)}).drawn() for k in range(len(SHAPES))
    ]
    far = np.min([np.abs(between - other).max(axis=(1, 2)) for other in others], axis=0)
    assert far.min() > 0.15  # none of the four
    # With the concentric circles: the outer circle as it was, the inner one faint.
    outer_kept = (between >= others[0] - 1e-12).all(axis=(1, 2))
    assert 0.15 < outer_kept.mean() < 0.55
    inner = (others[1] - others[0]).sum((1, 2))[outer_kept]
    faint = (between - others[0]).sum((1, 2))[outer_kept] / inner
    assert (faint.min() > 0.34, faint.max() < 0.66) == (True, True)
