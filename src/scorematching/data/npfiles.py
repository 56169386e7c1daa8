"""NPY and NPZ files: headers checked and sizes capped before anything is allocated, no pickle."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scorematching.data.arrays import from_array
from scorematching.data.dataset import MAX_BYTES, Dataset
from scorematching.data.origin import Origin, regular_file
from scorematching.data.schema import ARRAY_DTYPES, ArraySchema, ImageSchema

MAX_HEADER = 10_000
CHUNK = 1 << 24


def read_npy(
    path: str | Path,
    *,
    label: str | None = None,
    like: ArraySchema | ImageSchema | None = None,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Rows of an NPY file, or of an NPZ file with one array, or with ``x`` and labels ``y``.

    Parameters
    ----------
    path
        A file that ends in .npy or .npz.
    label
        ``"y"`` to condition on the labels of an NPZ file.
    like
        The schema of a fitted model; labels are read if the schema has them and the file too.
    max_bytes
        Largest decoded size.

    Raises
    ------
    DataError
        The file is damaged, needs pickle, decodes to more than ``max_bytes``, holds other arrays
        than those, or as `from_array`.
    """
    path = Path(path)
    origin = Origin(str(path))
    regular_file(path)
    try:
        if path.suffix.lower() == ".npy":
            if label is not None:
                raise origin.error(f"an NPY file has no labels: label={label!r} has no effect.")
            with path.open("rb") as file:
                return from_array(read_member(file, origin, max_bytes), like=like, origin=origin)
        return _read_npz(path, origin, label, like, max_bytes)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise origin.error(f"damaged, or not what its ending says: {error}") from error


def _read_npz(
    path: Path,
    origin: Origin,
    label: str | None,
    like: ArraySchema | ImageSchema | None,
    max_bytes: int,
) -> Dataset:
    with zipfile.ZipFile(path) as archive:
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        if len(set(names)) < len(names) or not (len(names) == 1 or set(names) == {"x", "y"}):
            raise origin.error(
                "an NPZ file must hold one array, or x and its labels y: got "
                f"{', '.join(repr(name) for name in names[:12]) or 'none'}. "
                "Save what you want to model: numpy.savez(file, x=x, y=labels)."
            )
        if label is not None and (label != "y" or "y" not in names):
            there = "'y' is" if "y" in names else "there are no"
            raise origin.error(f"label={label!r}: {there} the labels of this file.")
        main = "x" if len(names) == 2 else names[0]
        with archive.open(f"{main}.npy" if f"{main}.npy" in archive.namelist() else main) as file:
            x = read_member(file, Origin(f"{path}[{main}]"), max_bytes)
        labelled = label is not None or (like is not None and like.label is not None)
        y = None
        if labelled and "y" in names:
            with archive.open("y.npy" if "y.npy" in archive.namelist() else "y") as file:
                y = read_member(file, Origin(f"{path}[y]"), max_bytes - x.nbytes, text=True)
    data = from_array(x, y, like=like, label=label or "y", origin=origin)
    if "y" in names and y is None and like is None:
        data = data.with_notes("the file has labels y, which are not used: label='y' uses them.")
    return data


def read_member(
    file: IO[bytes], origin: Origin, max_bytes: int, text: bool = False
) -> NDArray[Any]:
    """One array in NPY format; ``text`` allows Unicode text, for labels.

    Raises
    ------
    DataError
        The header is odd or asks for pickle or another dtype; the array would take more than
        ``max_bytes`` as float64; or the bytes that follow are fewer or more than it says.
    """
    shape, fortran, dtype = read_header(file, origin)
    allowed = dtype.name in ARRAY_DTYPES or (text and dtype.kind in "Ub")
    if not allowed:
        raise origin.error(
            f"dtype must be one of {', '.join(ARRAY_DTYPES)}: got {dtype}. Convert the array."
        )
    count = math.prod(shape)
    size = count * dtype.itemsize
    if count * max(dtype.itemsize, 8) > max_bytes:
        raise origin.error(
            f"an array of shape {shape} and dtype {dtype} decodes to more than the limit of "
            f"{max_bytes:,} bytes. Read fewer rows, or raise max_bytes."
        )
    content = _exactly(file, size, origin)
    array = np.frombuffer(content, dtype=dtype, count=count)
    return array.reshape(shape, order="F" if fortran else "C")


def read_header(file: IO[bytes], origin: Origin) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis runs fastest, and dtype of an array in NPY format.

    Raises
    ------
    DataError
        The header is odd or asks for pickle.
    """
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"version {version} is not known")
        shape, fortran, dtype = read(file, max_header_size=MAX_HEADER)
    except ValueError as error:
        raise origin.error(f"damaged, or not what its ending says: {error}") from error
    if dtype.hasobject:
        raise origin.error(
            "the array holds Python objects, which only pickle can read, and pickle can run code. "
            "Save it as numbers: numpy.save(file, x.astype(float))."
        )
    if min(shape, default=0) < 0:
        raise origin.error(f"damaged: the header gives the shape {shape}.")
    return shape, fortran, dtype


def _exactly(file: IO[bytes], size: int, origin: Origin) -> bytearray:
    """The rest of a file, if that is ``size`` bytes; grows only with what is really there."""
    content = bytearray()
    while len(content) <= size:
        chunk = file.read(min(CHUNK, size + 1 - len(content)))
        if not chunk:
            break
        content += chunk
    if len(content) != size:
        more = "more" if len(content) > size else f"only {len(content)}"
        raise origin.error(
            f"damaged: expected {size} bytes of values, found {more}. Copy it again."
        )
    return content
