"""Schemas survive JSON and refuse JSON that someone broke."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
from scorematching.errors import InvalidInput

LABEL = LabelSchema("colour", ("red", "white"), position=1)
TABLE = TableSchema(
    (
        Column("a", Kind.REAL, low=0.0),
        Column("b,\n=1", Kind.INTEGER, -3.0, 7.0),
        Column("c", Kind.REAL, constant=0.1),
    ),
    LABEL,
)
SCHEMAS: list[Schema] = [
    TABLE,
    ImageSchema((3, 4, 5), label=LabelSchema("digit", ("0", "1"), integer=True)),
    ImageSchema((1, 8, 8), 0.0, 1.0, False, None, Layout.NO_CHANNEL),
    ArraySchema(()),
    ArraySchema((2, 3, 4, 5), "uint16", LABEL),
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_survives_json(schema: Schema) -> None:
    assert schema_from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_constant_columns_are_no_part_of_the_event() -> None:
    assert TABLE.event == (2,)
    assert [column.name for column in TABLE.modelled] == ["a", "b,\n=1"]


def broken(path: list[str | int], value: Any) -> Any:
    """TABLE's JSON with one place changed; ... deletes it."""
    data: Any = json.loads(json.dumps(TABLE.to_json()))
    at = data
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["type"], "os.system", "must be 'table', 'image' or 'array'"),
        (["surprise"], 1, "unknown surprise"),
        (["columns"], ..., "missing columns"),
        (["columns"], {}, "a list of at most"),
        (["columns"], [], "at least one column"),
        (["columns", 0, "name"], 3, "name of the column must be text: got 3"),
        (["columns", 0, "kind"], "complex", "one of real, integer: got 'complex'"),
        (["columns", 0, "low"], "0", "a finite number"),
        (["columns", 0, "low"], True, "a finite number"),
        (["columns", 0, "high"], float("nan"), "a finite number"),
        (["columns", 0, "high"], -1.0, "leave no room"),
        (["columns", 0, "name"], "c", "'c' appears twice"),
        (["label", "classes"], ["x", "x"], "distinct classes"),
        (["label", "classes"], ["x", 1], "a list of texts"),
        (["label", "integer"], 1, "true or false"),
        (["label", "position"], -1, "not negative"),
    ],
)
def test_broken_json_is_refused_with_the_field(
    path: list[str | int], value: Any, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        schema_from_json(broken(path, value))


@pytest.mark.parametrize("data", [None, [], "table", {"type": ["table"]}])
def test_json_that_is_no_schema_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput, match="type must be"):
        schema_from_json(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ArraySchema((1, 1, 1, 1, 1)), "0 to 4 axes"),
        (lambda: ArraySchema((0,)), "none of them empty"),
        (lambda: ArraySchema((2,), "complex128"), "dtype must be one of"),
        (lambda: ImageSchema((3, 4, 5), layout=Layout.NO_CHANNEL), "need a channel axis"),
        (lambda: ImageSchema((1, 4, 5), 1.0, 0.0), "low < high"),
        (lambda: Column("a", Kind.REAL, low=float("inf")), "low must be finite"),
    ],
)
def test_impossible_schemas_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()
