"""The forms in which a user holds rows, and how samples are given back in the same one."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.data import ArraySchema, Dataset, Schema, TableSchema, as_dataset, from_array
from scorematching.data.frames import is_frame
from scorematching.data.labels import encode_like
from scorematching.data.origin import Origin
from scorematching.data.restore import as_array, as_table
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
    form: Form, values: NDArray[np.float64], schema: Schema, labels: NDArray[np.int64] | None
) -> Any:
    """Rows in a form, whole numbers rounded and declared bounds kept.

    Frames and Datasets carry the labels; arrays and tensors do not.
    """
    if form is Form.DATASET:
        exact = np.asarray(as_array(values, schema), dtype=np.float64).reshape(values.shape)
        return Dataset(exact, schema, labels)
    if form in (Form.ARRAY, Form.TENSOR):
        array = as_array(values, schema)
        return torch.from_numpy(np.ascontiguousarray(array)) if form is Form.TENSOR else array
    if not isinstance(schema, TableSchema):
        raise InvalidInput(f"only tables can be given back as {form.value}.")
    table = as_table(values, schema, labels)
    if form is Form.PANDAS:
        return table.to_pandas()
    if form is Form.POLARS:
        import polars

        return polars.from_arrow(table)
    return table


def rows_like(x: Any, schema: Schema, labels: Any = None) -> Dataset:
    """Rows of any form, checked against the schema of a fitted model.

    Raises
    ------
    InvalidInput
        They have other columns or another shape, hold NaN or infinities, or a Dataset or frame is
        given labels beside its own.
    """
    if isinstance(x, Dataset):
        if x.schema.event != schema.event:
            raise InvalidInput(
                f"the model was fitted to rows of shape {schema.event}: got {x.schema.event}."
            )
        data = x
    elif is_frame(x):
        if not isinstance(schema, TableSchema):
            raise InvalidInput(
                f"the model was fitted to arrays of shape (n, {schema.event}): got a frame."
            )
        data = as_dataset(x, like=schema)
    elif isinstance(schema, TableSchema):
        like = ArraySchema((len(schema.modelled),))
        data = from_array(np.asarray(x, dtype=np.float64), like=like)
    else:
        data = from_array(x, like=schema)
    if labels is None:
        return data
    if data.labels is not None:
        raise InvalidInput("the rows carry labels of their own: leave labels= out.")
    return Dataset(data.values, schema, codes_of(labels, data.n, schema), data.notes)


def codes_of(labels: Any, n: int, schema: Schema) -> NDArray[np.int64]:
    """Class indices ``(n,)`` of one label for all rows, or one a row.

    Raises
    ------
    InvalidInput
        The schema has no labels, a label is none of its classes, or their number is not n.
    """
    if schema.label is None:
        raise InvalidInput("the model was fitted without labels: leave labels out.")
    cells = [labels] * n if isinstance(labels, str | int) else np.asarray(labels).tolist()
    if len(cells) != n:
        raise InvalidInput(f"expected one label, or one for each of {n} rows: got {len(cells)}.")
    return encode_like(schema.label, cells, Origin("labels"))
