"""Which columns of a table are modelled, which one is the label, and the bounds declared."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from scorematching.data.column import Kind
from scorematching.data.origin import Origin

Bound = tuple[float | None, float | None]


@dataclass(frozen=True)
class Selection:
    """What a user asks of a table's columns.

    Attributes
    ----------
    columns
        The columns to model, in this order; None for all.
    drop
        Columns to leave out.
    label
        The column whose values are classes to condition on.
    positive
        Columns declared to be > 0.
    bounds
        Column → (low, high), None for an open end.
    condition
        The columns whose numbers are given, and not modelled.
    """

    columns: Sequence[str] | None = None
    drop: Collection[str] = ()
    label: str | None = None
    positive: Collection[str] = ()
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    condition: Sequence[str] = ()

    @property
    def given(self) -> bool:
        """Whether anything is asked for."""
        asked = (
            self.columns, self.drop, self.label, self.positive, self.bounds, self.condition
        )  # fmt: skip
        return any(option is not None and len(option) > 0 for option in asked)

    def modelled(self, names: Sequence[str], origin: Origin) -> tuple[str, ...]:
        """The columns to model among those that a source has.

        Raises
        ------
        DataError
            A name is not in the source (near names are suggested), two options contradict each
            other, or nothing is left.
        """
        for option, asked in (
            ("columns", self.columns or ()),
            ("drop", self.drop),
            ("label", () if self.label is None else (self.label,)),
            ("positive", self.positive),
            ("bounds", self.bounds),
            ("condition", self.condition),
        ):
            if isinstance(asked, str):
                raise origin.error(f"{option} must be a list of names: got the text {asked!r}.")
            for name in asked:
                if name not in names:
                    raise origin.error(unknown(option, name, names))
        self._check_clashes(origin)
        chosen = list(names if self.columns is None else self.columns)
        aside = {*self.drop, *self.condition, *(() if self.label is None else (self.label,))}
        kept = tuple(name for name in chosen if name not in aside)
        if not kept:
            raise origin.error(
                f"no column is left to model: the columns are {listed(names)}. "
                "Drop fewer, or name some in columns."
            )
        for option, asked in (("positive", self.positive), ("bounds", self.bounds)):
            for name in asked:
                if name not in kept:
                    raise origin.error(f"{option} names {name!r}, which is not modelled.")
        return kept

    def _check_clashes(self, origin: Origin) -> None:
        columns = list(self.columns or ())
        for name in columns:
            if columns.count(name) > 1:
                raise origin.error(f"columns names {name!r} twice.")
            if name in self.drop:
                raise origin.error(f"column {name!r} is in both columns and drop. Choose one.")
            if name == self.label:
                raise origin.error(f"column {name!r} is the label: leave it out of columns.")
            if name in self.condition:
                raise origin.error(f"column {name!r} is given: leave it out of columns.")
        if self.label is not None and self.label in self.drop:
            raise origin.error(f"column {self.label!r} is in both label and drop. Choose one.")
        for name in self.condition:
            if list(self.condition).count(name) > 1:
                raise origin.error(f"condition names {name!r} twice.")
            if name in self.drop or name == self.label:
                other = "drop" if name in self.drop else "label"
                raise origin.error(f"column {name!r} is in both condition and {other}. Choose one.")
        for name, (low, high) in self.bounds.items():
            if name in self.positive:
                raise origin.error(f"column {name!r} is in both positive and bounds. Choose one.")
            if any(end is not None and math.isnan(end) for end in (low, high)):
                raise origin.error(f"column {name!r}: a bound is not a number.")

    def bound(self, name: str, kind: Kind) -> Bound:
        """(low, high) declared for a column; infinite ends count as open.

        For whole numbers the bounds are the smallest and largest ones within: 1 for a positive
        column.
        """
        whole = kind is Kind.INTEGER
        if name in self.positive:
            return (1.0 if whole else 0.0), None
        low, high = self.bounds.get(name, (None, None))
        low = None if low is None or math.isinf(low) else float(low)
        high = None if high is None or math.isinf(high) else float(high)
        if not whole:
            return low, high
        return (
            None if low is None else float(math.ceil(low)),
            None if high is None else float(math.floor(high)),
        )


def unknown(option: str, name: str, names: Sequence[str]) -> str:
    """A message for a name that is not there, with the ones that resemble it."""
    folded = {each.casefold(): each for each in names}
    near = get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    if near:
        meant = " or ".join(repr(folded[each]) for each in near)
        return f"{option} names {name!r}, which is no column. Did you mean {meant}?"
    return f"{option} names {name!r}, which is no column. The columns are {listed(names)}."


def listed(names: Sequence[str], at_most: int = 12) -> str:
    """Names in quotes, cut short with a count."""
    text = ", ".join(repr(name) for name in names[:at_most])
    return text if len(names) <= at_most else f"{text} and {len(names) - at_most} more"


def constant_condition(name: str, value: float) -> str:
    """What to say of a column that is given and never changes."""
    return (
        f"the condition {name!r} is {value:.12g} in every row: nothing can be learnt from it. "
        "Leave it out."
    )
