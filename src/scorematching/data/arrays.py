"""NumPy arrays and torch tensors as rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorematching.data.dataset import Dataset, duplicate_notes
from scorematching.data.labels import encode, encode_like
from scorematching.data.layout import channels_first, layout_of
from scorematching.data.origin import Origin
from scorematching.data.schema import (
    ARRAY_DTYPES,
    MAX_EVENT_RANK,
    ArraySchema,
    ImageSchema,
    Layout,
)

EXACT = 2**53  # whole numbers up to here are exact in float64


def from_array(
    x: Any,
    labels: Any = None,
    *,
    like: ArraySchema | ImageSchema | None = None,
    label: str = "label",
    origin: Origin | None = None,
) -> Dataset:
    """An array or tensor ``(n, *event)`` of event rank 0 to 4 as float64 rows.

    An array of dtype uint8 whose rows are at least 2 × 2 holds images of values 0 to 255: see
    `layout_of` for where their channels are. Every other array keeps its own event shape.

    Parameters
    ----------
    x
        NumPy array, torch tensor, or nested lists of numbers; integer or floating dtype.
    labels
        One text or whole number per row, or None.
    like
        The schema of a fitted model, whose event shape and classes the rows must have.
    label
        A name for the labels.
    origin
        What messages call the array.

    Raises
    ------
    DataError
        x is complex, of objects, text, truth values or records; has fewer than two rows, an empty
        axis or more than 4 event axes; holds NaN, ±inf or whole numbers beyond 2⁵³; or a
        coordinate of a real-valued ``(n,)`` or ``(n, d)`` array is constant.
    """
    origin = origin or Origin(type(x).__name__)
    array = as_numpy(x, origin)
    check_numeric(array, origin)
    if array.ndim == 0 or array.ndim - 1 > MAX_EVENT_RANK or 0 in array.shape:
        raise origin.error(
            f"expected shape (n, *event) with 0 to {MAX_EVENT_RANK} event axes, none empty: "
            f"got {array.shape}."
        )
    if like is None and len(array) == 1:
        raise origin.error("there is one row: a density needs two rows or more.")
    check_cells(array, origin)
    values, schema = interpret(array, origin) if like is None else _like(array, like, origin)
    codes: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    if labels is not None:
        cells = as_numpy(labels, origin)
        if cells.shape != array.shape[:1]:
            raise origin.error(
                f"labels must be one per row, shape ({len(array)},): got {cells.shape}."
            )
        if like is not None and like.label is not None:
            found, codes = like.label, encode_like(like.label, cells.tolist(), origin)
        else:
            found, codes, notes = encode(label, cells.tolist(), origin)
        schema = replace(schema, label=found)
    if like is None:
        notes += constant_notes(values, schema, origin) + duplicate_notes(values, codes)
    return Dataset(values, schema, codes, notes)


def as_numpy(x: Any, origin: Origin) -> NDArray[Any]:
    """A NumPy array of x, without copying where that is possible.

    Raises
    ------
    DataError
        x is ragged, sparse, masked, or otherwise no array.
    """
    if type(x).__module__.partition(".")[0] == "torch":
        dense = x.detach().to("cpu")
        x = dense.float().numpy() if str(x.dtype) == "torch.bfloat16" else dense.numpy()
    if isinstance(x, np.ma.MaskedArray):
        masked = int(np.ma.getmaskarray(x).sum())
        if masked:
            raise origin.error(f"{masked} cells are masked. Fill them, or drop their rows.")
    try:
        return np.asarray(x)
    except (ValueError, TypeError) as error:
        raise origin.error(f"cannot be made an array: {error}.") from error


def check_numeric(array: NDArray[Any], origin: Origin) -> None:
    """Raise DataError at a dtype that holds no numbers."""
    if array.dtype.name in ARRAY_DTYPES:
        return
    remedy = {
        "b": "Convert truth values to 0 and 1: x.astype(numpy.uint8).",
        "c": "Stack real and imaginary parts: numpy.stack([x.real, x.imag], axis=1).",
        "O": "Convert objects to numbers: x.astype(float).",
        "V": "Read the fields of a structured array one by one into a table.",
        "M": "Convert dates to numbers of days or seconds.",
        "U": "Convert text to numbers: x.astype(float).",
    }.get(array.dtype.kind, "Convert it: x.astype(numpy.float64).")
    raise origin.error(
        f"dtype must be one of {', '.join(ARRAY_DTYPES)}: got {array.dtype}. {remedy}"
    )


def check_cells(array: NDArray[Any], origin: Origin) -> None:
    """Raise at values that are not finite, or whole ones that float64 would round."""
    if array.dtype.kind == "f":
        missing, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
        if missing or infinite:
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise origin.error(
                f"{missing} values are NaN and {infinite} infinite, of {array.size} (first: "
                f"{origin.place(row)}). Fill them, or drop their rows."
            )
    elif array.dtype.itemsize == 8:
        big = (array > EXACT) if array.dtype.kind == "u" else (array > EXACT) | (array < -EXACT)
        if big.any():
            where = tuple(np.argwhere(big)[0])
            raise origin.error(
                f"{int(big.sum())} whole numbers are beyond ±2^53 and would lose digits (first: "
                f"{array[where]}, {origin.place(int(where[0]))}). Rescale them, or convert the "
                "array to float64 yourself."
            )


def interpret(
    array: NDArray[Any], origin: Origin
) -> tuple[NDArray[np.float64], ArraySchema | ImageSchema]:
    """Rows as float64 in the layout of the schema that shape and dtype tell, and that schema."""
    layout = layout_of(array.shape, array.dtype, origin)
    if layout is None:
        schema = ArraySchema(array.shape[1:], array.dtype.name)
        return array.astype(np.float64), schema
    images = channels_first(array, layout)
    channels, height, width = images.shape[1:]
    schema_of_images = ImageSchema((channels, height, width), layout=layout)
    return np.ascontiguousarray(images, dtype=np.float64), schema_of_images


def _like(
    array: NDArray[Any], like: ArraySchema | ImageSchema, origin: Origin
) -> tuple[NDArray[np.float64], ArraySchema | ImageSchema]:
    """The rows in the form that a fitted model knows."""
    bare = replace(like, label=None, condition=())
    if isinstance(like, ImageSchema):
        for layout in (like.layout, Layout.CHANNELS_FIRST):
            rank = 3 if layout is Layout.NO_CHANNEL else 4
            if array.ndim == rank and channels_first(array, layout).shape[1:] == like.shape:
                return np.ascontiguousarray(channels_first(array, layout), dtype=np.float64), bare
    elif array.shape[1:] == like.shape:
        return array.astype(np.float64), bare
    raise origin.error(
        f"the model was fitted to rows of shape {like.event}: got {array.shape[1:]}."
    )


def constant_notes(
    values: NDArray[np.float64], schema: ArraySchema | ImageSchema, origin: Origin
) -> tuple[str, ...]:
    """A note on coordinates that never change.

    Raises
    ------
    DataError
        The rows are real-valued of event rank 0 or 1: such a coordinate has no density.
    """
    constant = (values == values[0]).all(axis=0)
    count = int(constant.sum())
    if not count:
        return ()
    if schema.integer or values.ndim > 2:
        return (f"{count} of {constant.size} coordinates of a row are constant.",)
    if values.ndim == 1 or count == constant.size:
        raise origin.error(f"every value is {values.flat[0]:.12g}: there is no density to learn.")
    which = np.flatnonzero(constant).tolist()
    raise origin.error(
        f"{count} of {constant.size} columns are constant and have no density: {which[:12]}"
        f"{' …' if count > 12 else ''}. Leave them out: numpy.delete(x, {which[:12]}, axis=1)."
    )
