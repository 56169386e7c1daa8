"""Generated shapes: as much ink as the closed form says, in the right place; exact proportions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scorematching.data.drawn_shapes import (
    CENTRE,
    INNER,
    RADIUS,
    SHAPES,
    SHIFT,
    THICKNESS,
    TILT,
    Outlines,
    shapes,
)
from scorematching.errors import InvalidInput

Array = NDArray[np.float64]


def of_class(name: str, n: int, seed: int = 0) -> Outlines:
    classes = np.full(n, SHAPES.index(name))
    return Outlines.random(classes, np.random.default_rng(seed))


def ink(of: Outlines, name: str) -> Array:
    """∫ of what the pen covers: 2 P h + k (h² + 1/12), h = w/2, P the length of the outline.

    The points within h of a convex polygon have the area P h + π h² outside and P h − h² Σ cot(θ/2)
    inside, θ its angles; the ramp of one pixel means it over h ± ½. A circle has 4 π r h.
    """
    h, r = of.thickness / 2, of.radius
    length, corner = {
        "circle": (2 * np.pi * r, 0.0),
        "concentric": (2 * np.pi * r * (1 + INNER), 0.0),
        "square": (4 * np.sqrt(2) * r, np.pi - 4),
        "triangle": (3 * np.sqrt(3) * r, np.pi - 3 * np.sqrt(3)),
    }[name]
    return np.asarray(2 * length * h + corner * (h**2 + 1 / 12))


@pytest.mark.parametrize("name", SHAPES)
def test_the_ink_is_the_area_within_reach_of_the_pen(name: str) -> None:
    # The centre is uniform over whole pixels, so that the sum over pixels is unbiased.
    of = of_class(name, 4000)
    excess = of.drawn().sum((1, 2)) / ink(of, name) - 1
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(excess))
    assert excess.std() < 0.02
    wider = ink(Outlines(**{**vars(of), "thickness": of.thickness * 1.02}), name)
    assert abs((of.drawn().sum((1, 2)) / wider - 1).mean()) > 0.01  # the control


@pytest.mark.parametrize("name", SHAPES)
def test_the_centre_of_mass_is_the_centre(name: str) -> None:
    of = of_class(name, 500)
    images, pixels = of.drawn(), np.arange(28)
    total = images.sum((1, 2))
    np.testing.assert_allclose((images.sum(2) @ pixels) / total, of.row, rtol=0, atol=0.15)
    np.testing.assert_allclose((images.sum(1) @ pixels) / total, of.column, rtol=0, atol=0.15)


def test_a_circle_does_not_see_its_tilt_and_corners_repeat_in_it() -> None:
    for name, turn in (
        ("circle", 0.7),
        ("concentric", 0.7),
        ("square", np.pi / 2),
        ("triangle", 2 * np.pi / 3),
    ):
        of = of_class(name, 20)
        turned = Outlines(**{**vars(of), "tilt": of.tilt + turn})
        np.testing.assert_allclose(turned.drawn(), of.drawn(), rtol=0, atol=1e-9)
        if name in ("square", "triangle"):
            half = Outlines(**{**vars(of), "tilt": of.tilt + turn / 2})
            assert np.abs(half.drawn() - of.drawn()).max(axis=(1, 2)).min() > 0.5  # the control


def test_an_image_turned_by_a_right_angle_is_the_shape_with_that_tilt() -> None:
    for name in SHAPES:
        of = of_class(name, 20)
        # Counter-clockwise: what was right of the centre goes above it.
        turned = Outlines(
            of.classes, 27 - of.column, of.row, of.radius, of.thickness, of.tilt + np.pi / 2
        )
        np.testing.assert_allclose(
            np.rot90(of.drawn(), axes=(1, 2)), turned.drawn(), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("name", ["square", "triangle"])
def test_the_distance_to_a_polygon_is_that_to_its_nearest_side(name: str) -> None:
    of = of_class(name, 30)
    k = {"square": 4, "triangle": 3}[name]
    # Corners half a sector away from the middle of the side below, angles counted from below.
    angle = of.tilt[:, None] + np.pi / k * (2 * np.arange(k) + 1)
    corners = np.stack(
        [
            of.row[:, None] + of.radius[:, None] * np.cos(angle),
            of.column[:, None] + of.radius[:, None] * np.sin(angle),
        ],
        2,
    )
    pixels = np.stack(np.meshgrid(np.arange(28.0), np.arange(28.0), indexing="ij"), 2)
    nearest = np.full((30, 28, 28), np.inf)
    for i in range(k):
        a, b = corners[:, i, None, None], corners[:, (i + 1) % k, None, None]
        along = ((pixels - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1)
        foot = a + np.clip(along, 0, 1)[..., None] * (b - a)
        nearest = np.minimum(nearest, np.linalg.norm(pixels - foot, axis=-1))
    np.testing.assert_allclose(of.distances(), nearest, rtol=0, atol=1e-9)


def test_a_triangle_points_up_and_a_square_stands_on_a_side() -> None:
    centre = np.array([CENTRE])
    upright = {
        name: Outlines(
            np.array([SHAPES.index(name)]),
            centre,
            centre,
            np.array([9.0]),
            np.array([1.5]),
            0 * centre,
        ).drawn()[0]
        for name in ("square", "triangle")
    }
    assert upright["triangle"][5, 13] > 0.5  # the corner above: 9 above the centre at 13.5
    assert upright["triangle"][18, 13] > 0.5  # the side below: 4.5 below it
    assert upright["triangle"][22, 13] == 0.0
    side = round(CENTRE + 9 / np.sqrt(2))
    np.testing.assert_array_equal(upright["square"][side, 9:19], upright["square"][side, 9])


def test_parameters_are_uniform_and_nothing_leaves_the_image() -> None:
    rng = np.random.default_rng(1)
    of = Outlines.random(rng.integers(0, 4, 20_000), rng)
    for values, (low, high) in (
        (of.row, (CENTRE - SHIFT, CENTRE + SHIFT)),
        (of.column, (CENTRE - SHIFT, CENTRE + SHIFT)),
        (of.radius, RADIUS),
        (of.thickness, THICKNESS),
        (of.tilt, (-TILT, TILT)),
    ):
        u = np.sort((values - low) / (high - low))
        distance = np.abs(u - np.arange(len(u)) / len(u)).max()
        assert distance < 1.95 / np.sqrt(len(u))  # Kolmogorov's law: one in a thousand
    farthest = SHIFT + RADIUS[1] + THICKNESS[1] / 2 + 0.5
    assert farthest <= 14.0  # from the centre to the edge of the image


def test_the_proportions_are_exact() -> None:
    for n, proportions, counts in (
        (4000, None, [1000, 1000, 1000, 1000]),
        (2000, (0.60, 0.20, 0.15, 0.05), [1200, 400, 300, 100]),
        (2000, (60, 20, 15, 5), [1200, 400, 300, 100]),
        (10, (1, 1, 1, 0), [4, 3, 3, 0]),
        (1, (0, 0, 2, 0), [0, 0, 1, 0]),
        (3, None, [1, 1, 1, 0]),
    ):
        drawn = shapes(n, proportions)
        assert np.bincount(drawn.classes, minlength=4).tolist() == counts
        assert drawn.images.shape == (n, 1, 28, 28)


def test_images_are_whole_grey_values_that_only_the_seed_decides() -> None:
    one = shapes(200, seed=3)
    np.testing.assert_array_equal(one.images, np.round(one.images))
    assert (one.images.min(), one.images.max()) == (0.0, 255.0)
    np.testing.assert_array_equal(one.images, shapes(200, seed=3).images)
    assert (one.classes[:-1] != one.classes[1:]).mean() > 0.6  # in random order
    assert (shapes(200, seed=4).images != one.images).any()


@pytest.mark.parametrize(
    ("n", "proportions", "message"),
    [
        (0, None, "n must be a positive integer: got 0"),
        (2.5, None, "n must be a positive integer: got 2.5"),
        (True, None, "n must be a positive integer: got True"),
        (5, (1, 1), "4 numbers ≥ 0 with a positive sum, for circle, concentric, square, triangle"),
        (5, (1, 1, -1, 1), "4 numbers ≥ 0"),
        (5, (0, 0, 0, 0), "positive sum"),
        (5, (1, 1, 1, float("nan")), "4 numbers ≥ 0"),
        (5, (1, 1, 1, float("inf")), "4 numbers ≥ 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(n: int, proportions: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        shapes(n, proportions)  # type: ignore[arg-type]
