"""Data that come along: scikit-learn's bundled sets, and generated points and images."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scorematching.data.dataset import Dataset, duplicate_notes
from scorematching.data.drawn_shapes import SHAPES, SIDE, WHITE, shapes
from scorematching.data.labels import encode, encode_like
from scorematching.data.origin import Origin
from scorematching.data.schema import ImageSchema, Schema, TableSchema
from scorematching.data.selection import Bound, Selection
from scorematching.data.tables import from_arrow
from scorematching.errors import DataError

PREFIX = "builtin:"
LABEL = "target"
N_PLANE = 2000
N_SHAPES = 4000
SEED = 0

#: Name → loader in sklearn.datasets, and whether its target is a class.
TABLES = {
    "breast-cancer": ("load_breast_cancer", True),
    "diabetes": ("load_diabetes", False),
    "iris": ("load_iris", True),
    "wine": ("load_wine", True),
}


def builtin(
    name: str,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
    condition: Sequence[str] = (),
    like: Schema | None = None,
) -> Dataset:
    """A built-in data set; the same rows on every call, read or made without a network.

    Images: ``digits`` (1797 of shape (1, 8, 8), values 0 to 16) and ``shapes`` (4,000 of shape
    (1, 28, 28), values 0 to 255, see `drawn_shapes.shapes`). Tables: ``breast-cancer`` (569 × 30),
    ``diabetes`` (442 × 10, without its target), ``iris`` (150 × 4), ``wine`` (178 × 13), and 2,000
    points in the plane each, ``eight-gaussians``, ``moons`` and ``spirals``. All but diabetes have
    classes: ``label="target"``.

    Raises
    ------
    DataError
        The name is unknown (all are listed), there is no such label, or an option is for tables
        only; or as `read_table`.
    """
    origin = Origin(PREFIX + name)
    if name not in (*TABLES, *PLANE, *IMAGES):
        known = ", ".join(sorted((*TABLES, *PLANE, *IMAGES)))
        raise DataError(f"there is no built-in set {name!r}. The sets are {known}.")
    if label is not None and (label != LABEL or name == "diabetes"):
        there = "it has no classes" if name == "diabetes" else f"its label is {LABEL!r}"
        raise origin.error(f"label={label!r}: {there}.")
    if name in IMAGES:
        given = {"columns": columns, "drop": drop, "positive": positive, "bounds": bounds}
        given |= {"condition": condition}
        wrong = [option for option, value in given.items() if value]
        if wrong:
            raise origin.error(f"{', '.join(wrong)} name columns, and images have none.")
        return _images(*IMAGES[name](), label, like, origin)
    if like is not None and not isinstance(like, TableSchema):
        raise origin.error("this is a table, and the model was fitted to something else.")
    x, names, target, has_classes = _bundled(name) if name in TABLES else _plane(name)
    cells = dict(zip(names, x.T, strict=True))
    classes = {LABEL: target} if has_classes else {}
    if label is None and has_classes:
        keep = like is not None and like.label is not None and like.label.name == LABEL
        classes = classes if keep else {}
    selection = Selection(columns, drop, label, positive, bounds or {}, condition)
    return from_arrow(pa.table({**cells, **classes}), origin, selection, like)


def _bundled(name: str) -> tuple[NDArray[np.float64], list[str], list[str], bool]:
    """Values, column names and class names of a scikit-learn table."""
    from sklearn import datasets

    loader, has_classes = TABLES[name]
    data: Any = getattr(datasets, loader)()
    names = [str(each).strip().replace(" ", "_") for each in data.feature_names]
    target = [str(data.target_names[k]) for k in data.target] if has_classes else []
    return np.asarray(data.data, dtype=np.float64), names, target, has_classes


def _images(
    images: NDArray[np.float64],
    classes: list[Any],
    schema: ImageSchema,
    label: str | None,
    like: Schema | None,
    origin: Origin,
) -> Dataset:
    if like is not None:
        if replace(like, label=None, condition=()) != schema:
            raise origin.error("the model was fitted to something else than these images.")
        if like.label is None:
            return Dataset(images, schema)
        return Dataset(
            images, replace(schema, label=like.label), encode_like(like.label, classes, origin)
        )
    if label is None:
        return Dataset(images, schema, None, duplicate_notes(images))
    found, codes, notes = encode(label, classes, origin)
    return Dataset(images, replace(schema, label=found), codes, notes + duplicate_notes(images))


def _digits() -> tuple[NDArray[np.float64], list[Any], ImageSchema]:
    """Images, their classes and their schema."""
    from sklearn import datasets

    data: Any = datasets.load_digits()
    images = np.ascontiguousarray(data.images[:, None], dtype=np.float64)
    return images, data.target.tolist(), ImageSchema((1, 8, 8), 0.0, 16.0)


def _shapes() -> tuple[NDArray[np.float64], list[Any], ImageSchema]:
    """Images, their classes and their schema."""
    images, classes = shapes(N_SHAPES, seed=SEED)
    schema = ImageSchema((1, SIDE, SIDE), 0.0, float(WHITE))
    return images, [SHAPES[k] for k in classes], schema


IMAGES = {"digits": _digits, "shapes": _shapes}


def _plane(name: str) -> tuple[NDArray[np.float64], list[str], list[str], bool]:
    """Points in the plane from a generator of their own, and class names."""
    x, classes = PLANE[name](np.random.default_rng(SEED))
    return x, ["x", "y"], [str(each) for each in classes.tolist()], True


def eight_gaussians(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Eight normal distributions of standard deviation 0.2 on a circle of radius 2."""
    which = rng.integers(0, 8, N_PLANE)
    angle = which * (math.pi / 4)
    centre = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centre + 0.2 * rng.standard_normal((N_PLANE, 2)), which


def moons(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two interleaved half circles of radius 1, with noise of standard deviation 0.1."""
    which = rng.integers(0, 2, N_PLANE)
    angle = math.pi * rng.random(N_PLANE)
    sign = 1 - 2 * which
    arc = np.stack([which + sign * np.cos(angle), 0.5 * which + sign * np.sin(angle)], axis=1)
    return arc + 0.1 * rng.standard_normal((N_PLANE, 2)), which


def spirals(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two spirals r = φ/(2π) of one and a half turns, with noise of standard deviation 0.05."""
    which = rng.integers(0, 2, N_PLANE)
    turn = 1.5 * np.sqrt(rng.random(N_PLANE))
    angle = 2 * math.pi * turn + math.pi * which
    curve = turn[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return curve + 0.05 * rng.standard_normal((N_PLANE, 2)), which


PLANE: dict[str, Callable[[np.random.Generator], tuple[NDArray[np.float64], NDArray[np.int64]]]] = {
    "eight-gaussians": eight_gaussians,
    "moons": moons,
    "spirals": spirals,
}
