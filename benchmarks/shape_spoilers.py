"""Images that are no shapes: real ones spoiled in ten ways, to teach a judge and to test it.

Each way is a function of outlines and a generator to images in [0, 1], ``(n, 28, 28)``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scorematching.data.drawn_shapes import INNER, SHAPES, SIDE, Outlines, covered

Array = NDArray[np.float64]

CIRCLE, CONCENTRIC = SHAPES.index("circle"), SHAPES.index("concentric")
PIXELS = np.arange(SIDE, dtype=np.float64)


def blurred(of: Outlines, rng: np.random.Generator) -> Array:
    """Smoothed by a Gaussian of standard deviation 1 to 2 pixels."""
    widths = rng.uniform(1.0, 2.0, len(of.row))
    pairs = zip(of.drawn(), widths, strict=True)
    return np.stack([ndimage.gaussian_filter(image, width) for image, width in pairs])


def noisy(of: Outlines, rng: np.random.Generator) -> Array:
    """With normal noise of standard deviation 0.1 to 0.4, clipped."""
    noise = rng.standard_normal((len(of.row), SIDE, SIDE))
    return np.clip(of.drawn() + rng.uniform(0.1, 0.4, (len(of.row), 1, 1)) * noise, 0, 1)


def cut(of: Outlines, rng: np.random.Generator) -> Array:
    """All on one side of a line erased; the line passes the centre at up to half a radius."""
    angle = rng.uniform(0, 2 * np.pi, len(of.row))[:, None, None]
    offset = (rng.uniform(-0.5, 0.5, len(of.row)) * of.radius)[:, None, None]
    down, right = _offsets(of)
    kept = np.clip(0.5 + offset - (down * np.cos(angle) + right * np.sin(angle)), 0, 1)
    return of.drawn() * kept


def occluded(of: Outlines, rng: np.random.Generator) -> Array:
    """A square of side 5 to 9, of any grey, over a point of the outline."""
    row, column = (each[:, None, None] for each in _on_outline(of, rng))
    half, grey = (rng.uniform(*ends, (len(of.row), 1, 1)) for ends in ((2.5, 4.5), (0, 1)))
    hidden = (np.abs(PIXELS[:, None] - row) < half) & (np.abs(PIXELS - column) < half)
    return np.where(hidden, grey, of.drawn())


def broken(of: Outlines, rng: np.random.Generator) -> Array:
    """Two to four gaps of 4 to 6 pixels across in the outline."""
    image = of.drawn()
    count = rng.integers(2, 5, len(of.row))
    for gap in range(4):
        row, column = _on_outline(of, rng)
        width = np.where(gap < count, rng.uniform(2.0, 3.0, len(row)), 0.0)
        away = np.hypot(PIXELS[:, None] - row[:, None, None], PIXELS - column[:, None, None])
        image = image * np.clip(0.5 + away - width[:, None, None], 0, 1)
    return image


def averaged(of: Outlines, rng: np.random.Generator) -> Array:
    """The mean of the pixels with those of another shape, weighted 0.35 to 0.65."""
    weight = rng.uniform(0.35, 0.65, len(of.row))[:, None, None]
    return weight * of.drawn() + (1 - weight) * _others(of, rng).drawn()


def overlaid(of: Outlines, rng: np.random.Generator) -> Array:
    """Two shapes over each other: the lighter pixel of the two."""
    return np.maximum(of.drawn(), _others(of, rng).drawn())


def morphed(of: Outlines, rng: np.random.Generator) -> Array:
    """An outline half way to another class of the same parameters, or a faint inner circle.

    The signed distances of the two are mixed with weights of 0.35 to 0.65. Between the circle and
    the concentric circles, which share the outer one, it is the inner circle that is mixed in.
    """
    n = len(of.row)
    other = replace(of, classes=(of.classes + rng.integers(1, len(SHAPES), n)) % len(SHAPES))
    weight = rng.uniform(0.35, 0.65, n)[:, None, None]
    image = covered(np.abs(weight * of.signed() + (1 - weight) * other.signed()), of.thickness)
    inner = covered(
        np.abs(np.hypot(*_offsets(of)) - INNER * of.radius[:, None, None]), of.thickness
    )
    share = np.zeros(n)
    for each, part in ((of, weight[:, 0, 0]), (other, 1 - weight[:, 0, 0])):
        share = share + np.where(each.classes == CONCENTRIC, part, 0.0)
    return np.maximum(image, share[:, None, None] * inner)


def shuffled(of: Outlines, rng: np.random.Generator) -> Array:
    """Cut into 16 tiles of 7 × 7 that are put together in another order."""
    n, side = len(of.row), SIDE // 4
    tiles = of.drawn().reshape(n, 4, side, 4, side).swapaxes(2, 3).reshape(n, 16, side, side)
    order = np.argsort(rng.random((n, 16)), axis=1)
    mixed = np.take_along_axis(tiles, order[:, :, None, None], axis=1)
    return mixed.reshape(n, 4, 4, side, side).swapaxes(2, 3).reshape(n, SIDE, SIDE)


def warped(of: Outlines, rng: np.random.Generator) -> Array:
    """Displaced by smooth random fields of standard deviation 1.5 to 2.5 pixels."""
    return np.stack([_displaced(image, rng) for image in of.drawn()])


#: The ways that a judge learns from, and two that it never sees before it is held to them.
LEARNT = (blurred, noisy, cut, occluded, broken, averaged, overlaid, morphed)
UNSEEN = (shuffled, warped)


def _others(of: Outlines, rng: np.random.Generator) -> Outlines:
    """As many other shapes, of all classes."""
    return Outlines.random(rng.integers(0, len(SHAPES), len(of.row)), rng)


def _offsets(of: Outlines) -> tuple[Array, Array]:
    """How far down and right of the centre each pixel is, ``(n, 28, 1)`` and ``(n, 1, 28)``."""
    return PIXELS[:, None] - of.row[:, None, None], PIXELS - of.column[:, None, None]


def _on_outline(of: Outlines, rng: np.random.Generator) -> tuple[Array, Array]:
    """Row and column of the middle of a random pixel of each outline."""
    drawn = of.drawn().reshape(len(of.row), -1)
    found = np.argmax(rng.random(drawn.shape) * (drawn > 0.5), axis=1)
    return found // SIDE * 1.0, found % SIDE * 1.0


def _displaced(image: Array, rng: np.random.Generator) -> Array:
    field = np.stack([ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), 3) for _ in "rc"])
    field *= rng.uniform(1.5, 2.5) / field.std()
    return ndimage.map_coordinates(image, np.indices((SIDE, SIDE)) + field, order=1, mode="nearest")
