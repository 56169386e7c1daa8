"""Small models of every kind of data, for pages; each is fitted once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from fits import quick
from scorematching.data import Dataset, as_dataset
from scorematching.fitting import split_rows
from scorematching.report.effort import Effort
from scorematching.report.facts import Facts, Subject, gathered

#: A name that a page must show and never run, and other names that are hard to show.
EVIL = "<script>alert('x')</script>"
HARD = ("price in $ a_b $", "#30343b 1.23456 &amp;", "Größe\n😀")
SETTINGS = {"sampling": {"n_evaluations": 5}, "likelihood": {"n_steps": 2}}
EFFORT = Effort(samples=60, scored=12, map_side=8)


def table(n: int = 80) -> pa.Table:
    """Whole, positive, bounded and free columns with hard names, and a label."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((n, 3))
    kind = rng.integers(0, 2, n)
    return pa.table(
        {
            EVIL: np.rint(20 + 4 * z[:, 0]).astype(np.int64),
            HARD[0]: np.exp(0.4 * z[:, 1] + 0.3 * z[:, 0]),
            HARD[1]: 1 / (1 + np.exp(-z[:, 2] - kind)),
            HARD[2]: 3 * z[:, 2] + z[:, 1],
            "kind": [(EVIL, "white")[k] for k in kind],
        }
    )


def arrays() -> dict[str, tuple[Any, Any]]:
    """Rows, and their labels if any, by a name."""
    rng = np.random.default_rng(4)
    plane = rng.standard_normal((70, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]])
    return {
        "numbers": (np.exp(rng.standard_normal(60)), None),
        "plane": (plane, None),
        "classes in the plane": (plane, rng.integers(0, 2, 70)),
        "signals": (rng.standard_normal((60, 12)).cumsum(1), None),
        "images": (rng.integers(0, 255, (40, 6, 6)).astype(np.uint8), rng.integers(0, 3, 40)),
        "colours": (rng.random((30, 3, 6, 7)), None),
        "wide": (rng.standard_normal((60, 30)) @ rng.standard_normal((30, 30)), None),
    }


def given() -> pa.Table:
    """Two columns, and a third that is given of them."""
    rng = np.random.default_rng(6)
    t = rng.standard_normal(70)
    return pa.table({"x": t + rng.standard_normal(70), "y": rng.standard_normal(70), "t": t})


KINDS = ("table", "given", *arrays())
WITHOUT_HELD_OUT = ("images",)
STREAMED = ("wide",)


@cache
def subject(kind: str) -> Subject:
    """A model fitted for a few steps, its rows and its log."""
    records: list[Any] = []
    tables = {"table": table, "given": given}
    x, labels = (tables[kind](), None) if kind in tables else arrays()[kind]
    options: dict[str, Any] = {"labels": labels}
    if kind == "given":
        options = {"condition": ["t"]}
    if kind == "table":
        options = {"label": "kind", "positive": [HARD[0]], "bounds": {HARD[1]: (0.0, 1.0)}}
    settings = {**SETTINGS, "validation_fraction": 0.0 if kind in WITHOUT_HELD_OUT else 0.2}
    model = quick(x, 4, settings, on_record=records.append, **options)
    data = as_dataset(x, **options)
    train, held_out = split_rows(data, None, model.configuration, 0)
    log = tuple(vars(each) for each in records)
    streamed, chose = kind in STREAMED, held_out is not None
    return Subject(f"runs/{EVIL}", model, train, held_out, chose, EVIL, EVIL, streamed, log)


@cache
def facts(kind: str) -> Facts:
    """What the page of a kind of data is made from."""
    return gathered(subject(kind), EFFORT)


def few(data: Dataset, n: int) -> Dataset:
    """The first n rows."""
    labels = None if data.labels is None else data.labels[:n]
    return Dataset(data.values[:n], data.schema, labels)
