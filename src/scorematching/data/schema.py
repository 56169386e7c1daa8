"""What is needed to give samples back in the input's own form, and nothing about the model.

A schema is a frozen dataclass; ``to_json`` gives plain JSON and ``from_json`` checks every field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias, TypeVar

from scorematching.data.classes import LabelSchema, label_from_json, label_to_json
from scorematching.data.column import Column, Kind
from scorematching.data.strict import Fields
from scorematching.errors import InvalidInput

MAX_EVENT_RANK = 4  # as in scorematching.shapes, which loads torch
MAX_COLUMNS = 100_000
CONDITION = "condition"
ARRAY_DTYPES = (
    *("float16", "float32", "float64"),
    *("int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)


class Layout(Enum):
    """Where the channel axis of an image array stood in the input."""

    CHANNELS_FIRST = "channels_first"
    CHANNELS_LAST = "channels_last"
    NO_CHANNEL = "no_channel"


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in the input's order, constant ones included.

    ``condition`` names those that are given and not modelled.
    """

    columns: tuple[Column, ...]
    label: LabelSchema | None = None
    condition: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        names += [] if self.label is None else [self.label.name]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput(f"the column name {twice!r} appears twice.")
        if not self.modelled:
            raise InvalidInput("a table needs at least one column that is not constant.")
        stray = sorted(set(self.condition) - {each.name for each in self.given})
        if stray or len(set(self.condition)) < len(self.condition):
            raise InvalidInput(
                f"the condition {', '.join(map(repr, self.condition))} must name columns of the "
                "table that vary, each once."
            )

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that the model sees, in the order of the coordinates of a row."""
        return tuple(
            each
            for each in self.columns
            if each.constant is None and each.name not in self.condition
        )

    @property
    def given(self) -> tuple[Column, ...]:
        """The columns of the condition, in its order."""
        columns = {each.name: each for each in self.columns if each.constant is None}
        return tuple(columns[name] for name in self.condition if name in columns)

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one row of values: ``(number of modelled columns,)``."""
        return (len(self.modelled),)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        columns = [column.to_json() for column in self.columns]
        plain = {"type": "table", "columns": columns, "label": label_to_json(self.label)}
        return plain | _condition_to_json(self.condition)

    @classmethod
    def from_json(cls, data: object) -> TableSchema:
        """The inverse of `to_json`; raises InvalidInput at an unknown, missing or odd field."""
        fields = Fields(data, "table schema", _with_condition(data, ("type", "columns", "label")))
        fields.constant("type", "table")
        columns = tuple(map(Column.from_json, fields.items("columns", MAX_COLUMNS)))
        label = label_from_json(fields.value("label"))
        return cls(columns, label, _condition_from_json(data, fields))


@dataclass(frozen=True)
class ImageSchema:
    """Images of shape (C, H, W) with pixel values from low to high, whole ones if ``integer``."""

    shape: tuple[int, int, int]
    low: float = 0.0
    high: float = 255.0
    integer: bool = True
    label: LabelSchema | None = None
    layout: Layout = Layout.CHANNELS_FIRST
    condition: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InvalidInput(f"images must have shape (C, H, W): got {self.shape}.")
        if self.layout is Layout.NO_CHANNEL and self.shape[0] != 1:
            raise InvalidInput(f"{self.shape[0]} channels need a channel axis.")
        if not -math.inf < self.low < self.high < math.inf:
            raise InvalidInput(f"pixel values need low < high: got {self.low} and {self.high}.")

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one row of values: (C, H, W)."""
        return self.shape

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "type": "image",
            "shape": list(self.shape),
            "low": self.low,
            "high": self.high,
            "integer": self.integer,
            "label": label_to_json(self.label),
            "layout": self.layout.value,
        } | _condition_to_json(self.condition)

    @classmethod
    def from_json(cls, data: object) -> ImageSchema:
        """The inverse of `to_json`; raises InvalidInput at an unknown, missing or odd field."""
        names = ("type", "shape", "low", "high", "integer", "label", "layout")
        fields = Fields(data, "image schema", _with_condition(data, names))
        fields.constant("type", "image")
        channels, height, width = fields.shape("shape", 3, 3)
        return cls(
            (channels, height, width),
            fields.number("low"),
            fields.number("high"),
            fields.flag("integer"),
            label_from_json(fields.value("label")),
            fields.member("layout", Layout),
            _condition_from_json(data, fields),
        )


@dataclass(frozen=True)
class ArraySchema:
    """Arrays of event rank 0 to 4 that were stored with the given NumPy dtype."""

    shape: tuple[int, ...]
    dtype: str = "float64"
    label: LabelSchema | None = None
    condition: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shape) > MAX_EVENT_RANK or min(self.shape, default=1) < 1:
            raise InvalidInput(
                f"an event must have 0 to {MAX_EVENT_RANK} axes, none of them empty: "
                f"got shape {self.shape}."
            )
        if self.dtype not in ARRAY_DTYPES:
            raise InvalidInput(f"dtype must be one of {', '.join(ARRAY_DTYPES)}: got {self.dtype}.")

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one row of values."""
        return self.shape

    @property
    def integer(self) -> bool:
        """Whether the input held whole numbers."""
        return not self.dtype.startswith("float")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "type": "array",
            "shape": list(self.shape),
            "dtype": self.dtype,
            "label": label_to_json(self.label),
        } | _condition_to_json(self.condition)

    @classmethod
    def from_json(cls, data: object) -> ArraySchema:
        """The inverse of `to_json`; raises InvalidInput at an unknown, missing or odd field."""
        names = _with_condition(data, ("type", "shape", "dtype", "label"))
        fields = Fields(data, "array schema", names)
        fields.constant("type", "array")
        label, condition = (
            label_from_json(fields.value("label")),
            _condition_from_json(data, fields),
        )
        return cls(fields.shape("shape", 0, MAX_EVENT_RANK), fields.text("dtype"), label, condition)


Schema: TypeAlias = TableSchema | ImageSchema | ArraySchema


def schema_from_json(data: object) -> Schema:
    """A table, image or array schema, told apart by its ``type``.

    Raises
    ------
    InvalidInput
        The type is none of the three, or a field is unknown, missing or odd.
    """
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "table":
        return TableSchema.from_json(data)
    if kind == "image":
        return ImageSchema.from_json(data)
    if kind == "array":
        return ArraySchema.from_json(data)
    raise InvalidInput(f"a schema's type must be 'table', 'image' or 'array': got {kind!r}.")


AnySchema = TypeVar("AnySchema", TableSchema, ImageSchema, ArraySchema, Schema)


def without_condition(schema: AnySchema) -> AnySchema:
    """The form of the same rows, of which nothing is given but the class."""
    if isinstance(schema, TableSchema):
        kept = tuple(each for each in schema.columns if each.name not in schema.condition)
        return replace(schema, columns=kept, condition=())
    return replace(schema, condition=())


def only_condition(schema: Schema) -> TableSchema:
    """The table of what is given of rows of a schema."""
    if isinstance(schema, TableSchema):
        return TableSchema(schema.given)
    return TableSchema(tuple(Column(name, Kind.REAL) for name in schema.condition))


def _condition_to_json(condition: tuple[str, ...]) -> dict[str, Any]:
    """Nothing where there is no condition: as schemas were written before there were any."""
    return {CONDITION: list(condition)} if condition else {}


def _with_condition(data: object, names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, CONDITION) if isinstance(data, dict) and CONDITION in data else names


def _condition_from_json(data: object, fields: Fields) -> tuple[str, ...]:
    there = isinstance(data, dict) and CONDITION in data
    return fields.texts(CONDITION, MAX_COLUMNS) if there else ()


__all__ = [
    "ArraySchema",
    "Column",
    "ImageSchema",
    "Kind",
    "LabelSchema",
    "Layout",
    "Schema",
    "TableSchema",
    "only_condition",
    "schema_from_json",
    "without_condition",
]
