"""What rows are given, their classes and conditions: of training rows, of new rows, of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scorematching.data import Dataset, Schema
from scorematching.data.conditions import condition_like
from scorematching.data.labels import decode, spread
from scorematching.data.saved import take_tensors
from scorematching.data.transform import Compose, Standardise, standardise
from scorematching.errors import InvalidInput
from scorematching.forms import codes_of
from scorematching.hutchinson import check_count
from scorematching.nets import Given, absent
from scorematching.random import RowNoise
from scorematching.training_rows import at_most

#: Training rows whose condition is kept with a model, and numbers of them in all.
KEPT_ROWS, KEPT_NUMBERS = 4096, 2**20


@dataclass(frozen=True, eq=False)
class Conditions:
    """How a condition is standardised, and what it was of some of the training rows.

    Attributes
    ----------
    unit
        c ↦ (c − mean)/scale of each of the k numbers, by the training rows.
    rows
        The conditions of some of them in their own units, float64 ``(m, k)``.
    classes
        The classes of the same rows, int64 ``(m,)``; None without labels.
    """

    unit: Standardise
    rows: Tensor
    classes: Tensor | None

    @classmethod
    def of(cls, data: Dataset, seed: int) -> Conditions | None:
        """Of training rows; None where nothing but classes is given of them."""
        if data.condition is None:
            return None
        k = data.condition.shape[1]
        few = at_most(data, min(KEPT_ROWS, max(1, KEPT_NUMBERS // k)), seed)
        assert few.condition is not None
        classes = None if few.labels is None else torch.from_numpy(few.labels)
        unit = standardise(torch.from_numpy(data.condition))
        return cls(unit, torch.from_numpy(few.condition), classes)

    def tensors(self) -> dict[str, Tensor]:
        """All of it, by name, to be saved."""
        classes = {} if self.classes is None else {"classes": self.classes}
        return {"rows": self.rows, **classes, **self.unit.tensors()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], schema: Schema) -> Conditions:
        """The inverse of `tensors`, for rows of a schema.

        Raises
        ------
        InvalidInput
            A tensor is missing, or odd.
        """
        found = dict(tensors)
        classes = found.pop("classes", None)
        mean, scale, rows = take_tensors(found, "conditions", ("mean", "scale", "rows"))
        k, label = len(schema.condition), schema.label
        n_classes = 0 if label is None else len(label.classes)
        shapes = [tuple(mean.shape), tuple(scale.shape), tuple(rows.shape[1:])]
        fits = shapes == [(k,)] * 3 and len(rows) > 0 and (classes is None) == (n_classes == 0)
        if classes is not None:
            fits &= classes.dtype == torch.int64 and classes.shape == rows.shape[:1]
            fits = fits and bool(((classes >= 0) & (classes < n_classes)).all())
        if not fits:
            raise InvalidInput(f"conditions must be of {k} numbers a row: got shapes {shapes}.")
        return cls(Standardise(mean, scale), rows, classes)

    def drawn(self, n: int, seed: int, classes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Conditions ``(n, k)`` as frequent as among the training rows, and their classes.

        Where classes ``(n,)`` are given, each is drawn among the rows of that class. Row i depends
        on the seed and i alone.

        Raises
        ------
        InvalidInput
            No row that was kept is of a class.
        """
        u = RowNoise(0, n, (seed, "condition")).uniform(self.rows)
        if classes is None or self.classes is None:
            picked = _picked(u, len(self.rows))
            return self.rows[picked], None if self.classes is None else self.classes[picked]
        drawn = self.rows.new_empty(n, self.rows.shape[1])
        for each in sorted(set(classes.tolist())):
            those, wanted = self.rows[self.classes == each], classes == each
            if not len(those):
                raise InvalidInput(
                    "no condition is known of a class that is asked for: pass condition=… too."
                )
            drawn[wanted] = those[_picked(u[wanted], len(those))]
        return drawn, classes


def given_of(
    classes: Tensor | None, condition: Tensor | None, conditions: Conditions | None, like: Tensor
) -> Given:
    """Classes ``(n,)`` and a condition ``(n, k)`` in its own units, as a network takes them.

    In the dtype of like and on its device.
    """
    given = [] if classes is None else [classes.to(like.device)]
    if condition is not None and conditions is not None:
        given.append(conditions.unit.forward(condition).to(like))
    return tuple(given)


def untold(n: int, schema: Schema, like: Tensor) -> Given:
    """What n rows are given that are told nothing."""
    classes = torch.zeros(n, dtype=torch.int64, device=like.device)
    condition = like.new_zeros(n, len(schema.condition))
    return absent(
        (*([] if schema.label is None else [classes]), *([condition] if schema.condition else []))
    )


def prepared(
    transform: Compose,
    values: Tensor,
    data: Dataset,
    conditions: Conditions | None,
    like: Tensor,
) -> tuple[Tensor, ...]:
    """The preprocessed values of rows and what they are given, as a network takes them.

    In the dtype of like and on its device.
    """
    codes, numbers = (
        None if each is None else torch.from_numpy(each) for each in (data.labels, data.condition)
    )
    return transform.forward(values).to(like), *given_of(codes, numbers, conditions, like)


def drawn_classes(frequencies: tuple[float, ...], n: int, seed: int) -> Tensor:
    """n classes drawn by their frequencies, ``(n,)``; class i depends on the seed and i alone."""
    edges = torch.tensor(frequencies, dtype=torch.float64).cumsum(0)
    u = RowNoise(0, n, (seed, "labels")).uniform(edges) * edges[-1]
    return torch.searchsorted(edges, u, right=True).clamp(max=len(edges) - 1)


def spread_labels(
    frequencies: tuple[float, ...] | None, schema: Schema, n: int
) -> list[str] | list[int]:
    """Labels for n samples, each class as often as its frequency but for less than one row.

    Raises
    ------
    InvalidInput
        There are no labels, or n is no positive integer.
    """
    check_count(n, "n")
    if frequencies is None or schema.label is None:
        raise InvalidInput("the model was fitted without labels: there are none to spread.")
    return decode(spread(frequencies, n), schema.label)


def sample_given(
    n: int,
    seed: int,
    labels: Any,
    condition: Any,
    schema: Schema,
    frequencies: tuple[float, ...] | None,
    conditions: Conditions | None,
) -> tuple[Tensor | None, Tensor | None]:
    """The classes ``(n,)`` and conditions ``(n, k)`` of n samples, as given, else drawn.

    None of what the model is not given.

    Raises
    ------
    InvalidInput
        As `codes_of` and `condition_like`; or a condition is given without the classes that belong
        to it.
    """
    classes = None if labels is None else torch.from_numpy(codes_of(labels, n, schema))
    if condition is not None:
        numbers = torch.from_numpy(condition_like(schema, condition, n))
        if classes is None and frequencies is not None:
            raise InvalidInput(
                "the model was fitted with labels and a condition: pass both, or neither to have "
                "them drawn together. How frequent classes are given a condition is not known."
            )
        return classes, numbers
    if conditions is not None:
        numbers, classes = conditions.drawn(n, seed, classes)
        return classes, numbers
    if classes is None and frequencies is not None:
        classes = drawn_classes(frequencies, n, seed)
    return classes, None


def _picked(u: Tensor, m: int) -> Tensor:
    """Uniform numbers in [0, 1) to whole ones from 0 to m − 1."""
    return (u * m).long().clamp(max=m - 1)
