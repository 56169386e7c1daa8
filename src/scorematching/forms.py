"""The forms in which a user holds rows, and how samples are given back in the same one."""

from __future__ import annotations

import importlib
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.data import (
    ArraySchema,
    Dataset,
    ImageSchema,
    Schema,
    TableSchema,
    as_dataset,
    from_array,
)
from scorematching.data.arrays import as_numpy
from scorematching.data.conditions import condition_like
from scorematching.data.frames import is_frame
from scorematching.data.labels import decode, encode_like
from scorematching.data.layout import as_stored
from scorematching.data.origin import Origin
from scorematching.data.restore import as_array, as_table, pixels
from scorematching.data.schema import without_condition
from scorematching.errors import InvalidInput


class Form(Enum):
    """The kind of object that holds rows."""

    ARRAY = "array"
    TENSOR = "tensor"
    PANDAS = "pandas"
    POLARS = "polars"
    ARROW = "arrow"
    DATASET = "dataset"


def form_of(x: object) -> Form:
    """The form of x; everything that is none of the others counts as an array."""
    if isinstance(x, Dataset):
        return Form.DATASET
    if isinstance(x, Tensor):
        return Form.TENSOR
    if is_frame(x):
        return {"pandas": Form.PANDAS, "polars": Form.POLARS}.get(
            type(x).__module__.partition(".")[0], Form.ARROW
        )
    return Form.ARRAY


def given_back(
    form: Form,
    values: NDArray[np.float64],
    schema: Schema,
    labels: NDArray[np.int64] | None,
    condition: NDArray[np.float64] | None = None,
) -> Any:
    """Rows in a form, whole numbers rounded and declared bounds kept.

    Frames and Datasets carry the labels and the condition; arrays and tensors do not.
    """
    if form is Form.DATASET:
        carried = carrying(schema, labels=labels is not None, condition=condition is not None)
        return Dataset(_exact(values, schema), carried, labels, (), condition)
    if form in (Form.ARRAY, Form.TENSOR):
        array = as_array(values, schema)
        return torch.from_numpy(np.ascontiguousarray(array)) if form is Form.TENSOR else array
    if not isinstance(schema, TableSchema):
        raise InvalidInput(f"only tables can be given back as {form.value}.")
    table = as_table(values, schema, labels, condition)
    if form is Form.PANDAS:
        _library(form)
        return table.to_pandas()
    return _library(form).from_arrow(table) if form is Form.POLARS else table


def _library(form: Form) -> Any:
    """The library of the user's frames, which this one does not depend on."""
    try:
        return importlib.import_module(form.value)
    except ImportError as error:
        raise InvalidInput(
            f"the rows come as {form.value} frames, and {form.value} cannot be imported: {error}. "
            "Install it, or take Arrow tables: dataclasses.replace(fitted, form=Form.ARROW)."
        ) from error


def _exact(values: NDArray[np.float64], schema: Schema) -> NDArray[np.float64]:
    """What `as_array` gives, as values ``(n, *event)``: images are not moved to their layout."""
    if isinstance(schema, ImageSchema):
        return pixels(values, schema).astype(np.float64)
    return as_array(values, schema).astype(np.float64)


def shaped_like(x: Any, rows: Tensor, schema: Schema) -> Tensor | NDArray[np.float64]:
    """rows ``(n, *event)`` with the axes of x, images in its layout; a tensor if x is one."""
    shape = getattr(x, "shape", None)
    if isinstance(schema, ImageSchema) and shape is not None and tuple(shape) != rows.shape:
        rows = torch.from_numpy(np.ascontiguousarray(as_stored(rows.numpy(), schema.layout)))
    return rows if isinstance(x, Tensor) else rows.numpy()


def rows_like(x: Any, schema: Schema, labels: Any = None, condition: Any = None) -> Dataset:
    """Rows of any form, checked against the schema of a fitted model.

    Raises
    ------
    InvalidInput
        They have other columns or another shape, hold NaN or infinities, carry labels or a
        condition that the model has not, or a Dataset or frame is given either beside its own.
    """
    if isinstance(x, Dataset):
        data = _dataset_like(x, schema)
    elif is_frame(x):
        if not isinstance(schema, TableSchema):
            raise InvalidInput(
                f"the model was fitted to an array whose rows have shape {schema.event}: got a "
                "frame. Pass its values: x.to_numpy()."
            )
        data = as_dataset(x, like=schema)
    elif isinstance(schema, TableSchema):
        data = from_array(x, like=ArraySchema(schema.event))
    else:
        data = from_array(x, like=schema)
    codes, given = data.labels, data.condition
    if labels is not None:
        if codes is not None:
            raise InvalidInput("the rows carry labels of their own: leave labels= out.")
        codes = codes_of(labels, data.n, schema)
    if condition is not None:
        if given is not None:
            raise InvalidInput("the rows carry a condition of their own: leave condition= out.")
        given = condition_like(schema, condition, data.n)
    if labels is None and condition is None:
        return data
    carried = carrying(schema, labels=codes is not None, condition=given is not None)
    return Dataset(data.values, carried, codes, data.notes, given)


def carrying(schema: Schema, *, labels: bool, condition: bool) -> Schema:
    """The schema of rows that carry the labels or the condition of a schema, or not."""
    schema = schema if labels else replace(schema, label=None)
    return schema if condition else without_condition(schema)


def _dataset_like(data: Dataset, schema: Schema) -> Dataset:
    """data, if it has the columns or the shape of the schema; its classes by their names."""
    ours, theirs = f"shape {schema.event}", f"shape {data.schema.event}"
    if isinstance(schema, TableSchema) and isinstance(data.schema, TableSchema):
        ours, theirs = _columns(schema), _columns(data.schema)
    if ours != theirs:
        raise InvalidInput(
            f"the model was fitted to rows of {ours:.200}: got {theirs:.200}. Read them for this "
            "model: data.read(…, like=fitted.schema)."
        )
    if data.condition is not None and data.schema.condition != schema.condition:
        raise InvalidInput(
            f"the model was fitted with {_condition(schema)}: got {_condition(data.schema)}. Read "
            "the rows for this model: data.read(…, like=fitted.schema)."
        )
    if data.labels is None or data.schema.label is None:
        return data
    if schema.label is None:
        raise InvalidInput("the model was fitted without labels: read the rows without label=.")
    if data.schema.label.classes == schema.label.classes:
        return data
    names = decode(data.labels, data.schema.label)
    codes = encode_like(schema.label, names, Origin("Dataset"))
    carried = carrying(schema, labels=True, condition=data.condition is not None)
    return Dataset(data.values, carried, codes, condition=data.condition)


def _condition(schema: Schema) -> str:
    names = ", ".join(map(repr, schema.condition))
    return f"the condition {names}" if names else "no condition"


def _columns(schema: TableSchema) -> str:
    return f"the columns {', '.join(repr(column.name) for column in schema.modelled)}"


def codes_of(labels: Any, n: int, schema: Schema) -> NDArray[np.int64]:
    """Class indices ``(n,)`` of one label for all rows, or one a row.

    Raises
    ------
    InvalidInput
        The schema has no labels, a label is none of its classes, or their number is not n.
    """
    if schema.label is None:
        raise InvalidInput("the model was fitted without labels: leave labels out.")
    origin = Origin("labels")
    cells = as_numpy(labels, origin).tolist()
    cells = cells if isinstance(cells, list) else [cells] * n
    if len(cells) != n:
        raise InvalidInput(f"expected one label, or one for each of {n} rows: got {len(cells)}.")
    return encode_like(schema.label, cells, origin)
