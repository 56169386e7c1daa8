"""What a fitted model is told of rows, and the scale by which that guides it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scorematching.conditioning import Conditions, given_of, sample_given, untold
from scorematching.configuration import Configuration
from scorematching.data import Dataset, Schema
from scorematching.errors import InvalidInput
from scorematching.forms import rows_like
from scorematching.nets import Given


@dataclass(frozen=True, eq=False)
class Telling:
    """How a model is told the labels and the condition that a user passes, and is guided by them.

    Attributes
    ----------
    labels, condition, guidance
        As the user passes them: see `FittedScore.sample`.
    configuration, schema, frequencies, conditions
        Those of the model.
    like
        A tensor of its dtype and device.

    Raises
    ------
    InvalidInput
        The guidance scale is unusable, or would have no effect.
    """

    labels: Any
    condition: Any
    guidance: float
    configuration: Configuration
    schema: Schema
    frequencies: tuple[float, ...] | None
    conditions: Conditions | None
    like: Tensor

    def __post_init__(self) -> None:
        conditional = self.frequencies is not None or self.conditions is not None
        check_guidance(self.guidance, self.configuration, conditional=conditional)
        if self.guidance == 0 and not (self.labels is None and self.condition is None):
            raise InvalidInput(
                "guidance=0 is the model of rows of which nothing is known: leave labels and "
                "condition out."
            )

    def check_density(self) -> None:
        """Raise InvalidInput at a scale whose guided score belongs to no density."""
        if self.guidance not in (0, 1):
            raise InvalidInput(
                "log-densities are of the model given labels and condition, guidance=1, or of the "
                f"unconditional one, guidance=0: got {self.guidance:g}."
            )

    @property
    def scale(self) -> float:
        """w, given what `rows` and `drawn` tell: 1 where they tell nothing."""
        return float(self.guidance) or 1.0

    def rows(self, x: Any) -> tuple[Tensor, Given]:
        """Rows in float64 ``(n, *event)`` on the CPU, and what they are given.

        Raises
        ------
        InvalidInput
            x does not have the form of the data, or labels or condition are missing or do not fit.
        """
        data = rows_like(x, self.schema, self.labels, self.condition)
        rows = torch.from_numpy(data.values)
        if self.guidance == 0:
            return rows, untold(data.n, self.schema, self.like)
        check_told(data, self.schema)
        codes, numbers = (
            None if each is None else torch.from_numpy(each)
            for each in (data.labels, data.condition)
        )
        return rows, given_of(codes, numbers, self.conditions, self.like)

    def drawn(self, n: int, seed: int) -> tuple[Given, Tensor | None, Tensor | None]:
        """What n samples are given, and their classes and condition in its own units, if any.

        Raises
        ------
        InvalidInput
            As `sample_given`.
        """
        if self.guidance == 0:
            return untold(n, self.schema, self.like), None, None
        classes, numbers = sample_given(
            n, seed, self.labels, self.condition, self.schema, self.frequencies, self.conditions
        )
        return given_of(classes, numbers, self.conditions, self.like), classes, numbers


def check_guidance(guidance: float, configuration: Configuration, *, conditional: bool) -> None:
    """Raise InvalidInput where a model cannot be guided by such a scale."""
    number = isinstance(guidance, int | float) and not isinstance(guidance, bool)
    if not number or not math.isfinite(guidance):
        raise InvalidInput(f"the guidance scale must be a finite number: got {guidance!r}.")
    if guidance == 1:
        return
    if not conditional:
        raise InvalidInput(
            f"guidance {guidance:g} has no effect on a model without labels or a condition: leave "
            "it out, or fit with labels=… or condition=…."
        )
    if configuration.training.condition_dropout == 0:
        raise InvalidInput(
            f"guidance {guidance:g} needs the unconditional score, which this model has not "
            "learnt. Fit with training.condition_dropout above 0, or leave guidance out."
        )


def check_told(data: Dataset, schema: Schema) -> None:
    """Raise InvalidInput unless rows carry all that a model of the schema is given."""
    missing = ["labels"] if schema.label is not None and data.labels is None else []
    missing += ["condition"] if schema.condition and data.condition is None else []
    if missing:
        what = " and ".join("a condition" if each == "condition" else each for each in missing)
        raise InvalidInput(
            f"the model was fitted with {what}: the rows must carry them, or be given "
            f"{' and '.join(f'{each}=' for each in missing)}. guidance=0 is the model of rows of "
            "which nothing is known."
        )
