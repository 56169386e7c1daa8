"""The classes that rows are labelled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scorematching.data.strict import Fields
from scorematching.errors import InvalidInput

MAX_CLASSES = 10_000


@dataclass(frozen=True)
class LabelSchema:
    """The classes that rows are labelled with: class k of the labels is ``classes[k]``.

    ``integer`` says that the input wrote the classes as whole numbers; ``position`` is the place
    of the label column among the columns of a table, None for the end.
    """

    name: str
    classes: tuple[str, ...]
    integer: bool = False
    position: int | None = None

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise InvalidInput(f"label {self.name!r} must have distinct classes, at least one.")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "integer": self.integer,
            "position": self.position,
        }

    @classmethod
    def from_json(cls, data: object) -> LabelSchema:
        """The inverse of `to_json`; raises InvalidInput at an unknown, missing or odd field."""
        fields = Fields(data, "label", ("name", "classes", "integer", "position"))
        return cls(
            fields.text("name"),
            fields.texts("classes", MAX_CLASSES),
            fields.flag("integer"),
            fields.whole_or_none("position"),
        )


def label_to_json(label: LabelSchema | None) -> dict[str, Any] | None:
    """Plain JSON, or None."""
    return None if label is None else label.to_json()


def label_from_json(data: object) -> LabelSchema | None:
    """The inverse of `label_to_json`."""
    return None if data is None else LabelSchema.from_json(data)
