"""Samples to files: tables, arrays, folders of images; whole or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from scorematching.data.atomic import check_free, check_free_folder, new_file, new_folder
from scorematching.data.formulas import neutral
from scorematching.data.images import CHANNELS, class_folder
from scorematching.data.origin import fault
from scorematching.data.restore import as_arrays, as_table, check_values, pixels
from scorematching.data.schema import ImageSchema, Schema, TableSchema
from scorematching.data.tables import TABLE_ENDINGS, TEXT_ENDINGS

ARRAY_ENDINGS = (".npy", ".npz")


def check_writable(path: str | Path, schema: Schema, overwrite: bool = False) -> None:
    """Nothing, if `write` can write rows of this schema there: ask before the work is done.

    Tables go to .csv, .tsv, .parquet, .feather or .arrow; arrays to .npy or .npz; images to .npy,
    .npz, or a folder of PNG files (a path without an ending).

    Raises
    ------
    DataError
        The ending does not fit the schema, the path is taken, or its folder does not exist.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if isinstance(schema, TableSchema):
        _fits(path, ending in TABLE_ENDINGS, "a table", ", ".join(TABLE_ENDINGS))
    elif isinstance(schema, ImageSchema) and not ending:
        _check_png(path, schema)
        check_free_folder(path)
        if schema.label is not None:
            for index in range(len(schema.label.classes)):
                class_folder(schema.label, index)
        return
    else:
        images = isinstance(schema, ImageSchema)
        what = "images" if images else "arrays"
        endings = ", ".join(ARRAY_ENDINGS) + (", or no ending for a folder" if images else "")
        _fits(path, ending in ARRAY_ENDINGS, what, endings)
    check_free(path, overwrite)


def _fits(path: Path, fits: bool, what: str, endings: str) -> None:
    if not fits:
        raise fault(path, f"{what} cannot be written to the ending {path.suffix!r}. Use {endings}.")


def _check_png(path: Path, schema: ImageSchema) -> None:
    if not schema.integer or schema.low < 0 or schema.high > 255:
        raise fault(
            path,
            "PNG files hold whole numbers from 0 to 255, and these images do not. "
            "Write them to .npy or .npz.",
        )
    if schema.shape[0] not in CHANNELS.values():
        raise fault(
            path, f"PNG files have 1, 3 or 4 channels: got {schema.shape[0]}. Use .npy or .npz."
        )


def write(
    path: str | Path,
    values: NDArray[np.float64],
    schema: Schema,
    labels: NDArray[np.int64] | None = None,
    condition: NDArray[np.float64] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Rows ``(n, *event)`` in the data's own units to a file or folder, in the input's form.

    Whole numbers are rounded, declared bounds kept, constant columns given back. The numbers that
    rows were given are written with tables and NPZ files; other forms have no room for them.
    CSV and TSV headers and labels that a spreadsheet would run as formulas get a leading
    apostrophe.

    Raises
    ------
    DataError
        As `check_writable`; or a value is not finite; or labels do not fit the schema.
    OSError
        The disk is full, the folder is read-only, and the like; nothing is left behind.
    """
    path = Path(path)
    check_writable(path, schema, overwrite)
    check_values(values, schema, labels)
    if isinstance(schema, TableSchema):
        write_table(path, as_table(values, schema, labels, condition), overwrite=overwrite)
    elif isinstance(schema, ImageSchema) and not path.suffix:
        write_images(path, values, schema, labels)
    else:
        arrays = as_arrays(values, schema, labels, condition)
        if path.suffix.lower() == ".npy" and "y" in arrays:
            raise fault(path, "an NPY file has no room for labels. Use .npz.")
        with new_file(path, overwrite) as temporary, temporary.open("wb") as file:
            if path.suffix.lower() == ".npy":
                np.save(file, arrays["x"], allow_pickle=False)
            else:
                np.savez_compressed(file, allow_pickle=False, **arrays)


def write_table(path: str | Path, table: pa.Table, *, overwrite: bool = False) -> None:
    """An Arrow table to CSV, TSV, Parquet, Feather or Arrow, by the ending; whole or not at all.

    Raises
    ------
    DataError
        The ending is another, or the path is taken.
    OSError
        The disk is full, the folder is read-only, and the like; nothing is left behind.
    """
    path = Path(path)
    ending = path.suffix.lower()
    _fits(path, ending in TABLE_ENDINGS, "a table", ", ".join(TABLE_ENDINGS))
    # A handle, because Arrow takes no path of undecodable bytes.
    with new_file(path, overwrite) as temporary, temporary.open("wb") as file:
        if ending in TEXT_ENDINGS:
            _write_text(file, table, TEXT_ENDINGS[ending])
        elif ending == ".parquet":
            pq.write_table(table, file)
        else:
            feather.write_feather(table, file, compression="zstd")


def _write_text(file: BinaryIO, table: pa.Table, delimiter: str) -> None:
    header = io.StringIO()
    names = [neutral(name) for name in table.column_names]
    csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(names)
    columns = [
        pa.array(
            [None if text is None else neutral(text) for text in column.to_pylist()], pa.string()
        )
        if pa.types.is_string(column.type)
        else column
        for column in table.columns
    ]
    options = pacsv.WriteOptions(include_header=False, delimiter=delimiter)
    file.write(header.getvalue().encode())
    if table.num_rows:
        pacsv.write_csv(pa.Table.from_arrays(columns, names), file, options)


def write_images(
    folder: str | Path,
    values: NDArray[np.float64],
    schema: ImageSchema,
    labels: NDArray[np.int64] | None = None,
) -> None:
    """Images ``(n, C, H, W)`` as ``000000.png``, ``000001.png``, …; in a subfolder per class.

    Pixel values that go from 0 to another ``high`` than 255 are stretched to 0 to 255, so that
    the pictures can be looked at.

    Raises
    ------
    DataError
        The folder exists and is not empty, or as `check_writable`; or a value is not finite.
    OSError
        The disk is full, the folder is read-only, and the like; nothing is left behind.
    """
    folder = Path(folder)
    _check_png(folder, schema)
    check_values(values, schema, labels)
    stretch = 255.0 / schema.high if schema.low == 0 else 1.0
    with new_folder(folder) as temporary:
        for row, image in enumerate(pixels(values, schema)):
            target = temporary
            if labels is not None and schema.label is not None:
                target = temporary / class_folder(schema.label, int(labels[row]))
                target.mkdir(exist_ok=True)
            _picture(np.rint(image * stretch)).save(target / f"{row:06d}.png", format="PNG")


def _picture(image: NDArray[Any]) -> Image.Image:
    """A Pillow image of pixels (C, H, W) from 0 to 255."""
    whole = image.astype(np.uint8)
    return Image.fromarray(whole[0] if len(whole) == 1 else np.moveaxis(whole, 0, -1))
