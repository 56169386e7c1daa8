"""A folder of PNG or JPEG images as rows of pixel values, and back."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scorematching.data.dataset import MAX_BYTES, Dataset, duplicate_notes
from scorematching.data.labels import encode, encode_like
from scorematching.data.origin import Origin, fault
from scorematching.data.schema import ImageSchema, LabelSchema, Layout
from scorematching.errors import DataError

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
#: Pillow's modes and their number of channels; all have 8 bits a channel.
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
MAX_PIXELS = 1 << 26


def image_files(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, in the order of their names.

    Hidden files and folders are left aside.

    Raises
    ------
    DataError
        The folder cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
        found = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir() and not entry.is_symlink():
                found += image_files(entry)
            elif entry.suffix.lower() in IMAGE_ENDINGS:
                found.append(entry)
    except OSError as error:
        raise fault(folder, f"cannot be read: {error.strerror}.") from error
    return found


def read_images(
    folder: str | Path,
    *,
    label: str | None = None,
    like: ImageSchema | None = None,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Images ``(n, C, H, W)`` of values 0 to 255, in the order of their paths.

    Parameters
    ----------
    folder
        Holds PNG or JPEG files, directly or in subfolders.
    label
        A name for the classes, which are the names of the subfolders.
    like
        The schema of a fitted model, whose size and classes the images must have.
    max_bytes
        Largest decoded size, as float64.

    Raises
    ------
    DataError
        No images; an image is corrupt, too large, or differs from the first in size or mode (both
        are named); a mode other than grey, RGB or RGBA of 8 bits; classes asked for and none.
    """
    folder = Path(folder)
    origin = Origin(str(folder))
    files = image_files(folder)
    if not files:
        raise origin.error(
            f"the folder holds no images ({', '.join(IMAGE_ENDINGS)}). Check the path."
        )
    if len(files) == 1 and like is None:
        raise origin.error("the folder holds one image: a density needs two or more.")
    first = opened(files[0])
    size, mode = first
    channels = CHANNELS[mode]
    shape = (channels, size[1], size[0])
    if like is not None and shape != like.shape:
        raise fault(
            files[0],
            f"the model was fitted to images of (channels, height, width) "
            f"{like.shape}: got {shape}.",
        )
    if len(files) * int(np.prod(shape)) * 8 > max_bytes:
        raise origin.error(
            f"{len(files):,} images of {size[0]}×{size[1]} pixels decode to more than the limit of "
            f"{max_bytes:,} bytes. Use smaller images or fewer, or raise max_bytes."
        )
    pixels = np.empty((len(files), *shape), dtype=np.float64)
    for row, file in enumerate(files):
        pixels[row] = decoded(file, files[0], first)
    schema = ImageSchema(shape, layout=Layout.NO_CHANNEL if channels == 1 else Layout.CHANNELS_LAST)
    labels, notes = None, (*aside_notes(folder, files, label), *duplicate_notes(pixels))
    wanted = label is not None or (like is not None and like.label is not None)
    if wanted:
        names = [class_of(file, folder) for file in files]
        if like is not None and like.label is not None:
            labels, found = encode_like(like.label, names, origin), like.label
        else:
            found, labels, more = encode(label or "class", names, origin)
            notes += more
        schema = ImageSchema(shape, label=found, layout=schema.layout)
    return Dataset(pixels, schema, labels, () if like is not None else notes)


def aside_notes(folder: Path, files: list[Path], label: str | None) -> tuple[str, ...]:
    """Notes on other files, and on subfolders that could be classes."""
    notes: list[str] = []
    known = set(files)
    visible = (p for p in sorted(folder.rglob("*")) if p.is_file())
    others = [p.name for p in visible if p not in known and not p.name.startswith(".")]
    if others:
        listing = ", ".join(others[:4]) + (", …" if len(others) > 4 else "")
        notes.append(f"files that are no PNG or JPEG are left aside: {len(others)} ({listing}).")
    subfolders = {f.relative_to(folder).parts[0] for f in files if f.parent != folder}
    if label is None and len(subfolders) > 1:
        notes.append(
            f"the images lie in {len(subfolders)} subfolders: a label, such as label='class', "
            "takes those as classes to condition on."
        )
    return tuple(notes)


def class_of(file: Path, folder: Path) -> str:
    relative = file.relative_to(folder)
    if len(relative.parts) < 2:
        raise fault(
            file,
            "a label was asked for, and this image is in no subfolder. "
            "Classes are the names of the subfolders: FOLDER/CLASS/IMAGE.png.",
        )
    return relative.parts[0]


def opened(file: Path) -> tuple[tuple[int, int], str]:
    """Size (width, height) and mode of an image, from its header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=FORMATS) as image:
                return _checked(image, file)
        except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as e:
            raise _corrupt(file, e) from e


def _checked(image: Image.Image, file: Path) -> tuple[tuple[int, int], str]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise fault(file, f"{width}×{height} pixels are more than the limit of {MAX_PIXELS:,}.")
    if image.mode not in CHANNELS:
        raise fault(
            file,
            f"mode {image.mode} is not supported; expected one of {', '.join(CHANNELS)} "
            "(8 bits a channel). Convert it, for instance with Pillow: image.convert('RGB').",
        )
    return image.size, image.mode


def decoded(file: Path, first: Path, expected: tuple[tuple[int, int], str]) -> NDArray[np.uint8]:
    """Pixels (C, H, W) of an image, its header compared with the first one's before decoding."""
    found = opened(file)
    if found != expected:
        (width, height), mode = expected
        (other_width, other_height), other_mode = found
        raise fault(
            file,
            f"{other_width}×{other_height} pixels in mode {other_mode}, but {first} has "
            f"{width}×{height} in mode {mode}. All images must agree: resize or convert them.",
        )
    try:
        with Image.open(file, formats=FORMATS) as image:
            pixels = np.asarray(image, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise _corrupt(file, error) from error
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _corrupt(file: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return fault(file, f"not a readable PNG or JPEG image ({error}). Replace or remove it.")


def class_folder(label: LabelSchema, index: int) -> str:
    """The subfolder of a class.

    Raises
    ------
    DataError
        The class has a name that cannot be a folder's.
    """
    name = label.classes[index]
    if name in ("", ".", "..") or name.startswith(".") or "/" in name or "\0" in name:
        raise DataError(f"class {name!r} of label {label.name!r} cannot name a folder.")
    return name
