"""Where images keep their channels, and moving them to (n, C, H, W) and back."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scorematching.data.origin import Origin
from scorematching.data.schema import Layout

Number = TypeVar("Number", bound=np.generic)
CHANNELS = (1, 2, 3, 4)


def layout_of(shape: tuple[int, ...], dtype: np.dtype[np.generic], origin: Origin) -> Layout | None:
    """The layout of an array of images, or None if it holds none.

    Images are of dtype uint8 and at least 2 × 2 pixels: ``(n, H, W)``; ``(n, C, H, W)`` if only
    the second axis has 1 to 4 entries; ``(n, H, W, C)`` if only the last has.

    Raises
    ------
    DataError
        Both the second and the last axis could be the channels.
    """
    if dtype != np.uint8:
        return None
    if len(shape) == 3 and min(shape[1:]) >= 2:
        return Layout.NO_CHANNEL
    if len(shape) != 4:
        return None
    first = shape[1] in CHANNELS and min(shape[2:]) >= 2
    last = shape[3] in CHANNELS and min(shape[1:3]) >= 2
    if first and last:
        raise origin.error(
            f"shape {shape} could be (n, C, H, W) or (n, H, W, C). Convert the array to float64 to "
            "have it taken as it is, or to a layout in which one axis alone has 1 to 4 entries."
        )
    if first:
        return Layout.CHANNELS_FIRST
    return Layout.CHANNELS_LAST if last else None


def channels_first(images: NDArray[Number], layout: Layout) -> NDArray[Number]:
    """Images of any layout as ``(n, C, H, W)``."""
    if layout is Layout.NO_CHANNEL:
        return images[:, None]
    return np.moveaxis(images, -1, 1) if layout is Layout.CHANNELS_LAST else images


def as_stored(images: NDArray[Number], layout: Layout) -> NDArray[Number]:
    """Images ``(n, C, H, W)`` in a layout; the inverse of `channels_first`."""
    if layout is Layout.NO_CHANNEL:
        return images[:, 0]
    return np.moveaxis(images, 1, -1) if layout is Layout.CHANNELS_LAST else images
