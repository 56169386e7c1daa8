"""Data in and out: files, frames, arrays and images to rows of float64, and samples back again."""

from scorematching.data.arrays import from_array
from scorematching.data.builtin import builtin
from scorematching.data.dataset import MAX_BYTES, Dataset
from scorematching.data.drawn_shapes import SHAPES, ShapeImages, shapes
from scorematching.data.frames import as_dataset, from_frame
from scorematching.data.groups import stream
from scorematching.data.images import read_images
from scorematching.data.npfiles import read_npy
from scorematching.data.schema import (
    ArraySchema,
    Column,
    ImageSchema,
    Kind,
    LabelSchema,
    Layout,
    Schema,
    TableSchema,
    schema_from_json,
)
from scorematching.data.source import read
from scorematching.data.streams import Stream
from scorematching.data.tables import read_table
from scorematching.data.writing import check_writable, write, write_images, write_table

__all__ = [
    "MAX_BYTES",
    "SHAPES",
    "ArraySchema",
    "Column",
    "Dataset",
    "ImageSchema",
    "Kind",
    "LabelSchema",
    "Layout",
    "Schema",
    "ShapeImages",
    "Stream",
    "TableSchema",
    "as_dataset",
    "builtin",
    "check_writable",
    "from_array",
    "from_frame",
    "read",
    "read_images",
    "read_npy",
    "read_table",
    "schema_from_json",
    "shapes",
    "stream",
    "write",
    "write_images",
    "write_table",
]
