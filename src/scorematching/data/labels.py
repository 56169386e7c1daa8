"""Class labels: a column of text or whole numbers to indices and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorematching.data.origin import Origin, option
from scorematching.data.schema import LabelSchema

#: A label with more classes than this is taken for an identifier.
MAX_LABEL_CLASSES = 1000


def encode(
    name: str, cells: Sequence[Any], origin: Origin, position: int | None = None
) -> tuple[LabelSchema, NDArray[np.int64], tuple[str, ...]]:
    """Classes (sorted, numbers by value), the index of each row's class, and notes.

    Raises
    ------
    DataError
        A cell is missing, is neither text, a whole number nor true/false, or there are more
        classes than 1000 or than half the rows.
    """
    texts = as_texts(name, cells, origin)
    counts = Counter(texts)
    schema, notes = label_of(name, counts, origin, position)
    return schema, indices(texts, schema, origin), notes


def label_of(
    name: str, counts: Mapping[str, int], origin: Origin, position: int | None = None
) -> tuple[LabelSchema, tuple[str, ...]]:
    """The classes of a label from the rows that each has, and notes; as `encode`."""
    integer = all(_canonical_integer(text) for text in counts)
    classes = sorted(counts, key=int) if integer else sorted(counts)
    n = sum(counts.values())
    if len(classes) > min(MAX_LABEL_CLASSES, max(2, n // 2)):
        raise origin.error(
            f"label {name!r} has {len(classes)} classes in {n} rows: too many to "
            f"condition on. Choose another label, or leave the column out ({option('drop', name)})."
        )
    rare = [text for text in classes if counts[text] == 1]
    notes: tuple[str, ...] = ()
    if len(classes) == 1:
        notes = (f"label {name!r} has the one class {classes[0]!r}: conditioning has no effect.",)
    elif rare:
        notes = (f"label {name!r} has classes with a single row: {', '.join(rare[:8])}.",)
    return LabelSchema(name, tuple(classes), integer, position), notes


def encode_like(schema: LabelSchema, cells: Sequence[Any], origin: Origin) -> NDArray[np.int64]:
    """The index of each row's class among the classes of a schema.

    Raises
    ------
    DataError
        A cell is missing or is none of the classes.
    """
    return indices(as_texts(schema.name, cells, origin), schema, origin)


def as_texts(name: str, cells: Sequence[Any], origin: Origin) -> list[str]:
    """The class of each row as text.

    Raises
    ------
    DataError
        A cell is missing, or is neither text, a whole number nor true/false.
    """
    return [_as_text(name, cell, row, origin) for row, cell in enumerate(cells)]


def indices(texts: Sequence[str], schema: LabelSchema, origin: Origin) -> NDArray[np.int64]:
    """Class names to indices."""
    index = {text: number for number, text in enumerate(schema.classes)}
    for row, text in enumerate(texts):
        if text not in index:
            raise origin.error(
                f"label {schema.name!r}, {origin.place(row)}: {text!r} is none of the classes "
                f"{', '.join(schema.classes[:12])}{', …' if len(schema.classes) > 12 else ''}."
            )
    return np.array([index[text] for text in texts], dtype=np.int64)


def decode(labels: NDArray[np.int64], schema: LabelSchema) -> list[str] | list[int]:
    """Class names, or whole numbers if the input wrote them so."""
    names = [schema.classes[label] for label in labels.tolist()]
    return [int(name) for name in names] if schema.integer else names


def spread(frequencies: Sequence[float], n: int) -> NDArray[np.int64]:
    """n classes by their frequencies as nearly as whole numbers can be, evenly mixed.

    The counts are those of largest remainders, ⌊n f⌋ and one more for the classes that lose most
    by that. The j-th of the c rows of a class is put at (j + ½)/c of the way.
    """
    shares = np.asarray(frequencies, dtype=np.float64)
    ideal = n * (shares / shares.sum())
    counts = np.floor(ideal).astype(np.int64)
    most = np.argsort(counts - ideal, kind="stable")[: n - int(counts.sum())]
    counts[most] += 1
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    order = np.argsort(places, kind="stable")
    return np.repeat(np.arange(len(counts)), counts)[order]


def _as_text(name: str, cell: Any, row: int, origin: Origin) -> str:
    if cell is None or cell == "" or cell != cell:
        raise origin.error(
            f"label {name!r}, {origin.place(row)}: the cell is missing. Fill it or drop the row."
        )
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    if isinstance(cell, (int, np.integer)):
        return str(int(cell))
    if isinstance(cell, str):
        return cell.strip()
    raise origin.error(
        f"label {name!r} must hold text or whole numbers: got {cell!r} ({origin.place(row)}). "
        "Store it as integers or as text."
    )


def _canonical_integer(text: str) -> bool:
    body = text.removeprefix("-")
    return body.isascii() and body.isdigit() and str(int(body)) == body and len(body) < 19
