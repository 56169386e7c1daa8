"""Images in the page hold the pixels that they show."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from scorematching.report.images import bytes_of, grid, img, span_of


def pixels(markup: str) -> np.ndarray:
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', markup)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image)


def test_a_sheet_shows_images_row_by_row_with_clear_lines_between() -> None:
    images = np.arange(7.0)[:, None, None, None] * np.ones((1, 2, 3))
    found = pixels(grid(images, (0.0, 10.0), "seven", columns=4))
    assert found.shape == (2 * 3 - 1, 4 * 4 - 1, 4)
    expected = np.rint(255 * np.array([[0, 1, 2, 3], [4, 5, 6, 0]]) / 10)
    np.testing.assert_array_equal(found[::3, ::4, 0], expected)
    np.testing.assert_array_equal(found[1::3, 2::4, 1], expected)
    assert (found[2, :, 3] == 0).all()
    assert (found[:, 3, 3] == 0).all()
    assert (found[:2, :3, 3] == 255).all()
    assert (found[3:, 12:, 3] == 0).all()  # there is no eighth image


def test_values_are_scaled_to_the_span_and_cut() -> None:
    images = np.array([-1.0, 0.0, 0.5, 1.0, 9.0])[None, None, None, :]
    found = bytes_of(images, (0.0, 1.0))
    np.testing.assert_array_equal(found[0, 0, :, 0], [0, 0, 128, 255, 255])
    colours = np.stack([np.full((1, 1), v) for v in (0.0, 0.5, 1.0, 0.3)])[None]
    np.testing.assert_array_equal(bytes_of(colours, (0.0, 1.0))[0, 0, 0], [0, 128, 255, 255])


def test_a_text_is_escaped() -> None:
    assert 'alt="&lt;b&gt; &#34;x&#34;"' in img(np.zeros((1, 1, 4), np.uint8), '<b> "x"', "cell")


def test_the_span_of_floating_images_is_not_empty() -> None:
    assert span_of(np.zeros(5)) == (-0.5, 0.5)
    low, high = span_of(np.append(np.linspace(0, 1, 1000), 1e6))
    assert 0 <= low < high < 1.1
