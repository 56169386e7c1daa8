"""The picture of solvers on digits: every image where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.digits_solvers import BUDGETS, WAYS, Curve, save, sheet
from PIL import Image


def test_the_sheet_has_two_rows_and_a_margin_around_each_image() -> None:
    images = np.arange(6 * 64, dtype=np.float32).reshape(6, 64)
    shown = sheet(images)
    assert shown.shape == (20, 30)
    assert np.array_equal(shown[1:9, 11:19], images[1].reshape(8, 8))
    assert np.array_equal(shown[11:19, 21:29], images[5].reshape(8, 8))
    assert (shown == -1).sum() == shown.size - images.size


def test_the_picture_is_written(tmp_path: Path) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (40, 64)).astype(np.float32)
    curves = [
        Curve(name, [3.0 / (i + 1) + 1 for i in range(len(BUDGETS))], images) for name in WAYS
    ]
    save(tmp_path / "curves.png", curves, 1.25, images)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1320, 539)
