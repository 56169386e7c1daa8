"""Folders of images: what is read, what is named when it cannot be, and pictures written back."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scorematching.data.images import read_images
from scorematching.data.schema import ImageSchema, LabelSchema, Layout
from scorematching.errors import DataError


def pixels(n: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (n, *shape)).astype(np.uint8)


def fill(folder: Path, images: NDArray[np.uint8], ending: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}{ending}")
    return folder


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3), (5, 4, 4)])
def test_png_pixels_come_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = pixels(3, *shape)
    data = read_images(fill(tmp_path / "some pictures", images))
    expected = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(data.values, expected)
    assert isinstance(data.schema, ImageSchema)
    assert (data.schema.low, data.schema.high, data.schema.integer) == (0.0, 255.0, True)


def test_jpeg_pixels_come_as_pillow_decodes_them(tmp_path: Path) -> None:
    folder = fill(tmp_path, pixels(2, 16, 8, 3), ".JPG")
    data = read_images(folder)
    with Image.open(folder / "1.JPG") as image:
        expected = np.asarray(image).transpose(2, 0, 1)
    np.testing.assert_array_equal(data.values[1], expected)


def test_subfolders_are_classes_when_a_label_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "10", pixels(2, 4, 4))
    fill(tmp_path / "9" / "deeper", pixels(3, 4, 4)[1:])
    (tmp_path / ".hidden").mkdir()
    fill(tmp_path / ".hidden", pixels(2, 9, 9))
    plain = read_images(tmp_path)
    assert plain.labels is None
    assert any("2 subfolders" in note and "label=" in note for note in plain.notes)
    data = read_images(tmp_path, label="digit")
    assert data.schema.label == LabelSchema("digit", ("9", "10"), True)
    assert data.labels is not None
    assert data.labels.tolist() == [1, 1, 0, 0]
    again = read_images(tmp_path, like=data.schema)  # type: ignore[arg-type]
    assert again.labels is not None
    assert again.labels.tolist() == [1, 1, 0, 0]


def test_other_files_are_left_aside_and_mentioned(tmp_path: Path) -> None:
    fill(tmp_path, pixels(2, 4, 4))
    (tmp_path / "notes.txt").write_text("x")
    assert any("1 (notes.txt)" in note for note in read_images(tmp_path).notes)


def test_repeated_images_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, np.concatenate([pixels(2, 4, 4)] * 2))
    assert any(note.startswith("2 of 4 rows repeat") for note in read_images(tmp_path).notes)


def refuse(folder: Path, *parts: str, label: str | None = None, **limits: int) -> None:
    with pytest.raises(DataError) as caught:
        read_images(folder, label=label, **limits)
    for part in parts:
        assert part in str(caught.value)


def test_the_first_image_that_differs_is_named_with_both_sizes(tmp_path: Path) -> None:
    fill(tmp_path, pixels(3, 5, 4))
    Image.fromarray(pixels(1, 6, 4)[0]).save(tmp_path / "1.png")
    refuse(tmp_path, "1.png: 4×6 pixels in mode L", "0.png has 4×5 in mode L", "resize")
    Image.fromarray(pixels(1, 5, 4, 3)[0]).save(tmp_path / "1.png")
    refuse(tmp_path, "1.png: 4×5 pixels in mode RGB, but", "0.png has 4×5 in mode L")


@pytest.mark.parametrize("mode", ["P", "1", "LA", "I;16"])
def test_other_modes_are_refused_with_a_remedy(tmp_path: Path, mode: str) -> None:
    fill(tmp_path, pixels(2, 5, 4))
    Image.new(mode, (4, 5)).save(tmp_path / "0.png")
    refuse(tmp_path, "0.png: mode", "expected one of L, RGB, RGBA", "image.convert")


def test_corrupt_images_are_named(tmp_path: Path) -> None:
    fill(tmp_path, pixels(3, 32, 32))
    whole = (tmp_path / "1.png").read_bytes()
    scrambled = bytearray(whole)
    scrambled[60:90] = bytes(30)
    for content in (b"", b"no image", whole[: len(whole) // 2], whole[:20], bytes(scrambled)):
        (tmp_path / "1.png").write_bytes(content)
        refuse(tmp_path, "1.png: not a readable PNG or JPEG image", "Replace or remove it")


def test_a_file_of_another_format_under_a_png_name_is_not_opened(tmp_path: Path) -> None:
    fill(tmp_path, pixels(2, 8, 8))
    Image.fromarray(pixels(1, 8, 8)[0]).save(tmp_path / "1.png", format="TIFF")
    refuse(tmp_path, "1.png: not a readable PNG or JPEG image")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_refused_before_decoding(tmp_path: Path, side: int) -> None:
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes(png_header(side, side))
    refuse(tmp_path, "0.png")


def test_images_that_decode_to_more_than_the_limit_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, np.zeros((4, 64, 64), np.uint8))
    # 4 images × 4096 pixels × 8 bytes
    refuse(tmp_path, "4 images of 64×64", "more than the limit of 131,071", max_bytes=131_071)
    assert read_images(tmp_path, max_bytes=131_072).n == 4


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    refuse(tmp_path, str(tmp_path), "holds no images (.png, .jpg, .jpeg)")
    fill(tmp_path, pixels(1, 4, 4))
    refuse(tmp_path, "one image")
    fill(tmp_path, pixels(2, 4, 4))
    refuse(tmp_path, "0.png: a label was asked for", "FOLDER/CLASS/IMAGE.png", label="k")
    with pytest.raises(DataError, match=r"0\.png: the model was fitted to .* \(1, 8, 8\)"):
        read_images(tmp_path, like=ImageSchema((1, 8, 8), layout=Layout.NO_CHANNEL))
