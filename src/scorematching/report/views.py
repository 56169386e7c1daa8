"""The rows of a page in the forms that pictures and figures take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scorematching.data import Dataset, ImageSchema, Kind, TableSchema
from scorematching.preprocessing import names
from scorematching.report.facts import Facts
from scorematching.report.images import span_of
from scorematching.report.two_sample import few_of
from scorematching.training_rows import subset

Array = NDArray[np.float64]


def are_images(facts: Facts) -> bool:
    """Whether rows are shown as images: grey, colour, or colour with a fourth channel."""
    schema = facts.subject.model.schema
    event = schema.event
    return isinstance(schema, ImageSchema) or (
        len(event) == 3 and event[0] in (1, 3, 4) and min(event[1:]) > 1
    )


def column_names(facts: Facts) -> list[str]:
    """What the page calls the coordinates of a row."""
    return names(facts.subject.model.schema)


def whole_columns(facts: Facts) -> list[bool]:
    """Which coordinates hold whole numbers."""
    schema = facts.subject.model.schema
    if isinstance(schema, TableSchema):
        return [column.kind is Kind.INTEGER for column in schema.modelled]
    return [False] * len(column_names(facts))


def real_rows(facts: Facts) -> Array:
    """All rows of data in their own units ``(n, d)``, training rows first."""
    parts = [facts.subject.train.values]
    if facts.subject.held_out is not None:
        parts.append(facts.subject.held_out.values)
    both = np.concatenate(parts)
    return both.reshape(len(both), -1)


def shuffled(data: Array) -> Array:
    """The rows in another order, so that the first few are like all."""
    return data[np.random.default_rng(0).permutation(len(data))]


def sample_rows(facts: Facts) -> Array:
    """The samples in the units of the data ``(m, d)``."""
    values = facts.samples.values
    return values.reshape(len(values), -1)


def unseen(facts: Facts, count: int) -> tuple[Dataset, str]:
    """A few held-out rows, or training rows where there are none, and which they are."""
    held_out = facts.subject.held_out
    kind, source = ("training", facts.subject.train) if held_out is None else ("held-out", held_out)
    return subset(source, few_of(source.n, count, 0)), kind


def span(facts: Facts) -> tuple[float, float]:
    """The range of values that images are shown in."""
    schema = facts.subject.model.schema
    if isinstance(schema, ImageSchema):
        return schema.low, schema.high
    return span_of(facts.subject.train.values)
