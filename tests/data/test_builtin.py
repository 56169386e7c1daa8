"""The sets that come along."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets

from scorematching.data.builtin import builtin
from scorematching.data.drawn_shapes import SHAPES, shapes
from scorematching.data.schema import ImageSchema, TableSchema
from scorematching.errors import DataError


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1797, 1, 8, 8), 10),
        ("shapes", (4000, 1, 28, 28), 4),
        ("breast-cancer", (569, 30), 2),
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
        ("moons", (2000, 2), 2),
        ("spirals", (2000, 2), 2),
        ("eight-gaussians", (2000, 2), 8),
    ],
)
def test_every_set_is_read_with_and_without_its_classes(
    name: str, shape: tuple[int, ...], classes: int
) -> None:
    data = builtin(name)
    assert data.values.shape == shape
    assert data.labels is None
    labelled = builtin(name, label="target")
    assert labelled.schema.label is not None
    assert len(labelled.schema.label.classes) == classes
    np.testing.assert_array_equal(labelled.values, data.values)
    again = builtin(name, like=labelled.schema)
    np.testing.assert_array_equal(again.values, data.values)
    np.testing.assert_array_equal(again.labels, labelled.labels)


def test_diabetes_has_no_classes() -> None:
    assert builtin("diabetes").values.shape == (442, 10)
    with pytest.raises(DataError, match="it has no classes"):
        builtin("diabetes", label="target")


def test_digits_are_scikit_learns() -> None:
    data = builtin("digits", label="target")
    bundled = datasets.load_digits()
    np.testing.assert_array_equal(data.values[:, 0], bundled.images)
    np.testing.assert_array_equal(data.labels, bundled.target)
    assert isinstance(data.schema, ImageSchema)
    assert (data.schema.low, data.schema.high, data.schema.integer) == (0.0, 16.0, True)


def test_shapes_are_a_thousand_of_each_class() -> None:
    data = builtin("shapes", label="target")
    assert isinstance(data.schema, ImageSchema)
    assert data.schema.label is not None
    assert data.labels is not None
    drawn = shapes(4000)
    np.testing.assert_array_equal(data.values, drawn.images)
    names = np.array(data.schema.label.classes)[data.labels]
    np.testing.assert_array_equal(names, np.array(SHAPES)[drawn.classes])
    assert np.bincount(data.labels).tolist() == [1000] * 4


def test_columns_of_a_set_can_be_chosen() -> None:
    data = builtin("iris", columns=["petal_width_(cm)"], positive=["petal_width_(cm)"])
    assert isinstance(data.schema, TableSchema)
    assert data.schema.columns[0].low == 0.0
    np.testing.assert_array_equal(data.values[:, 0], datasets.load_iris().data[:, 3])


@pytest.mark.parametrize(("name", "spread"), [("moons", 0.1), ("spirals", 0.05)])
def test_curves_in_the_plane_have_the_stated_noise(name: str, spread: float) -> None:
    data = builtin(name, label="target")
    x, k = data.values.T, data.labels
    assert k is not None
    if name == "moons":  # distance to the half circle of each class
        centre = np.stack([k, 0.5 * k])
        off = np.hypot(*(x - centre)) - 1.0
    else:  # distance along the radius to the spiral's arm that is nearest
        angle = np.arctan2(x[1], x[0]) - np.pi * k
        arms = (angle[:, None] / (2 * np.pi)) + np.arange(0, 3)
        gaps = np.hypot(*x)[:, None] - arms
        outer = np.hypot(*x) > 0.5
        off = np.where(np.abs(gaps) == np.abs(gaps).min(1, keepdims=True), gaps, 0).sum(1)[outer]
        spread *= 1.0
    error = off.std() / np.sqrt(2 * len(off))
    assert abs(off.std() - spread) < 5 * error + 0.1 * spread


def test_eight_gaussians_stand_on_a_circle() -> None:
    data = builtin("eight-gaussians", label="target")
    assert data.labels is not None
    for k in range(8):
        rows = data.values[data.labels == k]
        centre = 2 * np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
        assert np.abs(rows.mean(0) - centre).max() < 5 * 0.2 / np.sqrt(len(rows))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mnist", {}, "no built-in set 'mnist'. The sets are breast-cancer, diabetes, digits,"),
        ("wine", {"label": "class"}, "its label is 'target'"),
        ("digits", {"drop": ["a"]}, "drop name columns, and images have none"),
        ("shapes", {"positive": ["a"]}, "positive name columns, and images have none"),
        ("wine", {"drop": ["alkohol"]}, "Did you mean 'alcohol'"),
    ],
)
def test_what_does_not_exist_is_refused(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        builtin(name, **options)  # type: ignore[arg-type]
