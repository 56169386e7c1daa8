"""Images as PNG inside the page, enlarged by the browser without blur."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]

COLUMNS = 10


def grid(images: Array, span: tuple[float, float], alt: str, columns: int = COLUMNS) -> Markup:
    """Images ``(n, C, H, W)`` of values within span, row by row, with clear lines between.

    The first one to three channels are shown, as grey or colours; a fourth is left out.
    """
    shown = bytes_of(images, span)
    n, height, width, _ = shown.shape
    rows = -(-n // columns)
    canvas = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1, 4), dtype=np.uint8)
    for k in range(n):
        top, left = k // columns * (height + 1), k % columns * (width + 1)
        canvas[top : top + height, left : left + width] = shown[k]
    return img(canvas, alt, "grid")


def bytes_of(images: Array, span: tuple[float, float]) -> NDArray[np.uint8]:
    """Images ``(n, C, H, W)`` as opaque RGBA ``(n, H, W, 4)``; values beyond the span are cut."""
    low, high = span
    level = np.clip((images - low) / (high - low), 0.0, 1.0)
    colours = level[:, :3] if level.shape[1] >= 3 else np.repeat(level[:, :1], 3, axis=1)
    rgb = np.moveaxis(np.rint(255 * colours), 1, -1)
    return np.concatenate([rgb, np.full((*rgb.shape[:3], 1), 255.0)], axis=3).astype(np.uint8)


def img(pixels: NDArray[np.uint8], alt: str, kind: str) -> Markup:
    """Pixels ``(H, W, 4)`` as an img element."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    height, width, _ = pixels.shape
    return Markup(
        '<img class="{}" width="{}" height="{}" alt="{}" src="data:image/png;base64,{}">'
    ).format(kind, width, height, alt, data)


def span_of(images: Array) -> tuple[float, float]:
    """The range of values that images without a declared one are shown in."""
    low, high = np.quantile(images, [0.005, 0.995]).tolist()
    return (low, high) if low < high else (low - 0.5, high + 0.5)
