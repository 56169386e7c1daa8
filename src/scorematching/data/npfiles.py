"""NPY and NPZ files: headers checked and sizes capped before anything is allocated, no pickle."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scorematching.data.arrays import from_array
from scorematching.data.conditions import condition_like, conditioned
from scorematching.data.dataset import MAX_BYTES, Dataset
from scorematching.data.origin import Origin, regular_file
from scorematching.data.schema import ARRAY_DTYPES, ArraySchema, ImageSchema

MAX_HEADER = 10_000
CHUNK = 1 << 24


def read_npy(
    path: str | Path,
    *,
    label: str | None = None,
    condition: Sequence[str] = (),
    like: ArraySchema | ImageSchema | None = None,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Rows of an NPY file, or of an NPZ file with one array, or ``x`` and labels ``y`` or ``c``.

    Parameters
    ----------
    path
        A file that ends in .npy or .npz.
    label
        ``"y"`` to condition on the labels of an NPZ file.
    condition
        ``["c"]`` for the numbers c ``(n, k)`` of an NPZ file, which are given of its rows.
    like
        The schema of a fitted model; labels and condition are read if it has them and the file too.
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
            if condition:
                raise origin.error("an NPY file has no condition: put x and c into an NPZ file.")
            with path.open("rb") as file:
                return from_array(read_member(file, origin, max_bytes), like=like, origin=origin)
        return _read_npz(path, origin, label, tuple(condition), like, max_bytes)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise origin.error(f"damaged, or not what its ending says: {error}") from error


def _read_npz(
    path: Path,
    origin: Origin,
    label: str | None,
    condition: tuple[str, ...],
    like: ArraySchema | ImageSchema | None,
    max_bytes: int,
) -> Dataset:
    with zipfile.ZipFile(path) as archive:
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        several = "x" in names and set(names) <= {"x", "y", "c"}
        if len(set(names)) < len(names) or not (len(names) == 1 or several):
            raise origin.error(
                "an NPZ file must hold one array, or x, its labels y and its condition c: got "
                f"{', '.join(repr(name) for name in names[:12]) or 'none'}. "
                "Save what you want to model: numpy.savez(file, x=x, y=labels)."
            )
        if label is not None and (label != "y" or "y" not in names):
            there = "'y' is" if "y" in names else "there are no"
            raise origin.error(f"label={label!r}: {there} the labels of this file.")
        if condition and (condition != ("c",) or "c" not in names):
            there = "'c' is" if "c" in names else "there is no"
            raise origin.error(
                f"condition={list(condition)!r}: {there} the condition of this file."
            )
        main = "x" if len(names) > 1 else names[0]
        with archive.open(f"{main}.npy" if f"{main}.npy" in archive.namelist() else main) as file:
            x = read_member(file, Origin(f"{path}[{main}]"), max_bytes)
        labelled = label is not None or (like is not None and like.label is not None)
        y = None
        if labelled and "y" in names:
            with archive.open("y.npy" if "y.npy" in archive.namelist() else "y") as file:
                y = read_member(file, Origin(f"{path}[y]"), max_bytes - x.nbytes, text=True)
        given = None
        if "c" in names and (condition or (like is not None and like.condition)):
            with archive.open("c.npy" if "c.npy" in archive.namelist() else "c") as file:
                given = read_member(file, Origin(f"{path}[c]"), max_bytes - x.nbytes)
    data = from_array(x, y, like=like, label=label or "y", origin=origin)
    if given is not None and like is not None:
        numbers = condition_like(like, given, data.n)
        schema = replace(data.schema, condition=like.condition)
        data = replace(data, schema=schema, condition=numbers)
    elif given is not None:
        data = conditioned(data, given)
    if "y" in names and y is None and like is None:
        data = data.with_notes("the file has labels y, which are not used: label='y' uses them.")
    if "c" in names and given is None and like is None:
        data = data.with_notes("the file has numbers c, which are not used: condition=['c'] does.")
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
