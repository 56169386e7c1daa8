"""Generated images of four shapes: a circle, two concentric circles, a square, a triangle.

A shape is an outline drawn with a pen of thickness w. A pixel's value is the part of it that the
pen covers, taken as min(max(½ + w/2 − δ, 0), 1), where δ is the distance of its centre to the
outline: edges are a ramp of one pixel. Position, size, thickness and, of the shapes with corners,
the tilt are uniform and independent, and nothing leaves the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scorematching.errors import InvalidInput

SHAPES = ("circle", "concentric", "square", "triangle")
SIDE = 28
WHITE = 255
#: Corners of each outline; a circle has none.
CORNERS = (0, 0, 4, 3)
#: The smaller of two concentric circles has this part of the radius.
INNER = 0.5

CENTRE = (SIDE - 1) / 2
SHIFT = 3.0
RADIUS = (6.5, 9.5)
THICKNESS = (1.2, 2.0)
TILT = math.radians(20.0)

Array = NDArray[np.float64]


class ShapeImages(NamedTuple):
    """Images ``(n, 1, 28, 28)`` of whole grey values 0 to 255, classes ``(n,)`` into `SHAPES`."""

    images: Array
    classes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Outlines:
    """What is drawn: one entry a shape, lengths in pixels; all arrays are ``(n,)``.

    Attributes
    ----------
    classes
        Indices into `SHAPES`.
    row, column
        The centre; pixel (i, j) has its own at (i, j).
    radius
        Of the (outer) circle, or of the circle through the corners.
    thickness
        Of the pen.
    tilt
        In radians; at 0 a square stands on a side and a triangle points up.
    """

    classes: NDArray[np.int64]
    row: Array
    column: Array
    radius: Array
    thickness: Array
    tilt: Array

    @classmethod
    def random(cls, classes: NDArray[np.int64], rng: np.random.Generator) -> Outlines:
        """Uniform and independent parameters for the shapes of these classes."""
        u = rng.random((5, len(classes)))
        low, high = RADIUS
        thin, thick = THICKNESS
        return cls(
            classes,
            CENTRE + SHIFT * (2 * u[0] - 1),
            CENTRE + SHIFT * (2 * u[1] - 1),
            low + (high - low) * u[2],
            thin + (thick - thin) * u[3],
            TILT * (2 * u[4] - 1),
        )

    def signed(self) -> Array:
        """The distance of each pixel's centre to the (outer) outline, < 0 inside, ``(n, 28, 28)``.

        In the sector of its nearest side a polygon's side is the segment at radius·cos(π/k) from
        the centre, of half length radius·sin(π/k), for k corners.
        """
        down, right = self._offsets()
        out = np.hypot(down, right)
        radius = self.radius[:, None, None]
        corners = np.array(CORNERS)[self.classes][:, None, None]
        half = np.pi / np.maximum(corners, 1)
        # From the middle of a side: straight down for the square and the triangle.
        angle = np.arctan2(right, down) - self.tilt[:, None, None]
        folded = angle - 2 * half * np.round(angle / (2 * half))
        beyond = out * np.cos(folded) - radius * np.cos(half)
        aside = np.maximum(np.abs(out * np.sin(folded)) - radius * np.sin(half), 0.0)
        polygon = np.copysign(np.hypot(beyond, aside), beyond)
        return np.where(corners, polygon, out - radius)

    def distances(self) -> Array:
        """δ, the distance of each pixel's centre to the outline, ``(n, 28, 28)``."""
        found = np.abs(self.signed())
        inner = np.abs(np.hypot(*self._offsets()) - INNER * self.radius[:, None, None])
        double = (self.classes == SHAPES.index("concentric"))[:, None, None]
        return np.where(double, np.minimum(found, inner), found)

    def _offsets(self) -> tuple[Array, Array]:
        """How far down and right of the centre each pixel is, ``(n, 28, 1)`` and ``(n, 1, 28)``."""
        pixels = np.arange(SIDE, dtype=np.float64)
        down = pixels[:, None] - self.row[:, None, None]
        return down, pixels - self.column[:, None, None]

    def drawn(self) -> Array:
        """The part of each pixel that the pen covers, in [0, 1], ``(n, 28, 28)``."""
        return covered(self.distances(), self.thickness)


def covered(distances: Array, thickness: Array) -> Array:
    """min(max(½ + w/2 − δ, 0), 1) for δ ``(n, 28, 28)`` and w ``(n,)``."""
    return np.clip(0.5 + thickness[:, None, None] / 2 - distances, 0.0, 1.0)


def shapes(n: int, proportions: Sequence[float] | None = None, *, seed: int = 0) -> ShapeImages:
    """n images of shapes, in random order.

    Parameters
    ----------
    n
        How many.
    proportions
        Of the circles, concentric circles, squares and triangles, up to a factor; equal ones by
        default. The counts are n times them, rounded so that they add up to n.
    seed
        The same images for the same seed.

    Raises
    ------
    InvalidInput
        n is no positive integer, or the proportions are not four numbers ≥ 0 with a positive sum.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InvalidInput(f"n must be a positive integer: got {n!r}.")
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(SHAPES)), _counts(n, proportions))
    outlines = Outlines.random(rng.permutation(classes), rng)
    return ShapeImages(np.round(WHITE * outlines.drawn())[:, None], outlines.classes)


def _counts(n: int, proportions: Sequence[float] | None) -> NDArray[np.int64]:
    """Whole numbers that add up to n, each less than one away from its part of n."""
    parts = np.ones(len(SHAPES)) if proportions is None else np.asarray(proportions, dtype=float)
    usable = parts.shape == (len(SHAPES),) and bool((parts >= 0).all())
    if not usable or not 0 < parts.sum() < np.inf:
        raise InvalidInput(
            f"proportions must be {len(SHAPES)} numbers ≥ 0 with a positive sum, for "
            f"{', '.join(SHAPES)}: got {proportions!r}."
        )
    wanted = n * parts / parts.sum()
    counts: NDArray[np.int64] = np.floor(wanted).astype(np.int64)
    counts[np.argsort(counts - wanted, kind="stable")[: n - counts.sum()]] += 1
    return counts
