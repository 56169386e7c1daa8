"""Maps of the score and the density of an untrained model, which is a Gaussian."""

from __future__ import annotations

import numpy as np
import pytest

from fits import gaussian_rows, untrained
from report.subjects import EVIL, facts
from scorematching.fitted import FittedScore
from scorematching.report.field import contours, density_curve, frame_of, score_arrows


@pytest.fixture(scope="module")
def plane() -> tuple[FittedScore, np.ndarray]:
    x = gaussian_rows(300, 2)
    return untrained(x), x


def test_contours_are_of_a_density_that_sums_to_one(
    plane: tuple[FittedScore, np.ndarray],
) -> None:
    model, x = plane
    frame = frame_of(model, x, ["a", EVIL])
    found = contours(model, frame, x, 24, None, "contours")
    assert found is not None
    picture, mass = found
    # The frame leaves out little of a Gaussian, and the grid is fine beside its spread.
    assert mass == pytest.approx(1.0, abs=0.04)
    assert "98, 90, 70, 50, 30, 10 % of the rows" in picture
    assert "<script" not in picture


def test_a_coarse_map_is_made_finer_by_a_spline_through_its_points(
    plane: tuple[FittedScore, np.ndarray],
) -> None:
    model, x = plane
    frame = frame_of(model, x, ["a", "b"])
    masses = [found[1] for side in (9, 40) if (found := contours(model, frame, x, side, None, "c"))]
    # log p of a Gaussian is quadratic, and so is the spline; sums over nine points are not exact.
    assert masses[0] == pytest.approx(masses[1], abs=2e-3)


def test_arrows_point_along_the_score(plane: tuple[FittedScore, np.ndarray]) -> None:
    model, x = plane
    frame = frame_of(model, x, ["a", "b"])
    picture = score_arrows(model, frame, x, 1.0, None, "arrows")
    assert "noise level 1" in picture
    points = frame.grid(5)
    np.testing.assert_array_equal(points[0], frame.span[:, 0])
    np.testing.assert_array_equal(points[-1], frame.span[:, 1])
    np.testing.assert_allclose(points[1, 1], points[0, 1])  # x is fastest


def test_the_frame_has_room_around_the_data_and_keeps_to_declared_bounds() -> None:
    model = facts("table").subject.model
    values = facts("table").subject.train.values
    frame = frame_of(model, values, ["n", "positive", "share", "free"])
    assert frame.span[1, 0] > 0
    assert frame.span[2, 0] > 0
    assert frame.span[2, 1] < 1
    for j in (0, 3):
        assert frame.span[j, 0] < values[:, j].min()
        assert frame.span[j, 1] > values[:, j].max()
    corners = np.stack([frame.span[:, 0], frame.span[:, 1]])
    assert np.isfinite(model.log_density(corners, labels="white")).all()


def test_the_curve_of_one_column_is_highest_at_the_mean() -> None:
    x = 5 + 2 * np.random.default_rng(0).standard_normal(400)
    text = density_curve(untrained(x), "size", x, x[:50])
    top = float(text.split("highest at ")[1].split(",")[0])
    assert top == pytest.approx(x.mean(), abs=0.1)
