from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scorematching.errors import InvalidInput
from scorematching.report.first_light import (
    COLUMNS,
    ROWS,
    Pair,
    first_light,
    montage,
    save_picture,
)


def pairs() -> tuple[Pair, Pair]:
    """Images and a table of noise."""
    rng = np.random.default_rng(0)
    images = Pair("Noise", rng.random((200, 1, 8, 8)), rng.random((95, 1, 8, 8)))
    return images, Pair("Table", rng.standard_normal((50, 3)), rng.standard_normal((80, 3)))


def test_a_montage_shows_the_images_row_by_row_with_gaps_between() -> None:
    images = np.arange(ROWS * COLUMNS + 5, dtype=float)[:, None, None, None] * np.ones((1, 2, 3))
    grid = montage(images, -1.0)
    assert grid.shape == (ROWS * 3 - 1, COLUMNS * 4 - 1)
    np.testing.assert_array_equal(grid[::3, ::4], np.arange(90.0).reshape(ROWS, COLUMNS))
    np.testing.assert_array_equal(grid[1::3, 2::4], grid[::3, ::4])
    assert (grid[2::3] == -1).all()
    assert (grid[:, 3::4] == -1).all()


def test_too_few_images_leave_the_rest_of_a_montage_blank() -> None:
    grid = montage(np.ones((COLUMNS, 1, 2, 2)), np.nan)
    assert (grid[:2, ::3] == 1).all()
    assert np.isnan(grid[2:]).all()


def test_the_picture_says_what_is_data_and_what_samples(tmp_path: Path) -> None:
    images, table = pairs()
    figure = first_light(images, table, ["a_b", "b", "c"], [("a_b", "b")], ["c", "b"])
    above, below = figure.subfigs
    titles = [axes.get_title(loc="left") for axes in above.axes]
    assert titles == ["Noise: 200 images of data", "Noise: samples"]
    assert [axes.get_xlabel() for axes in below.axes] == ["a b", "c", "b"]
    assert "50 rows of data, 80 samples" in below.get_suptitle()
    save_picture(figure, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (1800, 915)
    assert [each.name for each in tmp_path.iterdir()] == ["p.png"]


def test_the_scatter_holds_every_row_of_both(tmp_path: Path) -> None:
    images, table = pairs()
    figure = first_light(images, table, ["a", "b", "c"], [("c", "a"), ("a", "b")], ["b"])
    samples, data = figure.subfigs[1].axes[0].collections
    np.testing.assert_array_equal(np.asarray(samples.get_offsets()), table.samples[:, [2, 0]])
    np.testing.assert_array_equal(np.asarray(data.get_offsets()), table.data[:, [2, 0]])


def test_a_column_that_is_not_there_is_named() -> None:
    images, table = pairs()
    with pytest.raises(InvalidInput, match="'d'"):
        first_light(images, table, ["a", "b", "c"], [("a", "d")], ["c"])


def test_drawing_needs_no_display_and_leaves_no_global_state() -> None:
    code = (
        "import sys, scorematching.report.first_light\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
