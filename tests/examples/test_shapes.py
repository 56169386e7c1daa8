"""The numbers of examples/shapes.py: noise as large as it says, ink and gaps of the closed form."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import scorematching as sm


def test_the_spread_of_the_frames_falls_with_the_noise(example: ModuleType, results: Any) -> None:
    walk = results["walks"][0]
    assert walk.shape == (25, 8, 28, 28)
    levels = np.array(example.LADDER.levels[::-1])
    high = levels > 5  # where the data themselves add little
    slope = np.polyfit(np.log(levels[high]), np.log(walk[:-1].std((1, 2, 3))[high]), 1)[0]
    assert slope == pytest.approx(1, abs=0.04)


def test_the_chains_end_on_the_lowest_level_and_are_denoised(results: Any) -> None:
    last, denoised = results["walks"][0][-2:]
    # Noise of 0.12 spreads of the pixels, which are about 60 grey values.
    assert 1 < np.abs(denoised - last).mean() < 15


def test_every_sample_has_a_nearest_class(example: ModuleType, results: Any) -> None:
    assert set(results["shares"]) == set(example.SHARES)
    for counts in results["shares"].values():
        assert (len(counts), counts.sum()) == (4, 8)


def test_a_row_is_nearest_to_itself(example: ModuleType) -> None:
    images, _ = sm.data.shapes(20)
    indices, gap = example.nearest(images[5:8], images)
    assert indices.tolist() == [5, 6, 7]
    assert gap == pytest.approx(0, abs=1e-12)
    _, gap = example.nearest(images[:1], images[1:2])
    assert gap == pytest.approx(((images[0] - images[1]) ** 2).sum() / (images[0] ** 2).sum())


def test_the_mean_images_hold_the_ink_of_the_closed_form(results: Any) -> None:
    """E(2 P h + k (h² + 1/12)), r and h = w/2 uniform on (6.5, 9.5) and (0.6, 1.0)."""
    r, h, second = 8.0, 0.8, 0.8**2 + 0.4**2 / 12 + 1 / 12
    expected = [
        4 * np.pi * r * h,
        6 * np.pi * r * h,
        8 * np.sqrt(2) * r * h + (np.pi - 4) * second,
        6 * np.sqrt(3) * r * h + (np.pi - 3 * np.sqrt(3)) * second,
    ]
    ink = np.sum(results["means"], axis=(1, 2)) / 255
    # 1,100 images, whose ink has a spread of 18%
    assert ink == pytest.approx(expected, rel=4 * 0.18 / np.sqrt(1100))


def test_gaps_close_by_the_number_of_free_parameters(results: Any) -> None:
    """Distance² to the nearest of m falls as m^(−2/k): k = 4, and 5 where there is a tilt."""
    gaps = np.array(results["gaps"])
    assert (np.diff(gaps) < 0).all()
    slopes = np.polyfit(np.log(50 * 2 ** np.arange(5)), np.log(gaps).T, 1)[0]
    assert slopes == pytest.approx([-1 / 2, -1 / 2, -2 / 5, -2 / 5], abs=0.08)


def test_classes_with_a_tilt_need_more_images(results: Any) -> None:
    needed = {name: results[name] for name in sm.data.SHAPES}
    assert min(needed["square"], needed["triangle"]) > 2 * max(
        needed["circle"], needed["concentric"]
    )


def test_the_figure_has_a_frame_for_every_level(figure: Figure, example: ModuleType) -> None:
    film, *_, bars = figure.axes
    assert [text.get_text() for text in film.texts][:2] == ["σ = 20", "σ = 16"]
    assert len(film.texts) == len(example.LADDER.levels)
    assert len(bars.patches) == 4
