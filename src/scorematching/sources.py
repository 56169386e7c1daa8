"""Rows of a file or folder: read into memory, or streamed where they are too many."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scorematching.data import Dataset, Stream, as_dataset, read
from scorematching.data import stream as stream_of
from scorematching.data.builtin import PREFIX
from scorematching.data.conditions import conditioned
from scorematching.data.groups import decoded_bytes, only_streamed
from scorematching.data.selection import Bound, Selection
from scorematching.errors import InvalidInput
from scorematching.forms import Form, form_of

#: Rows that would take more than this as float64 are streamed unless asked otherwise.
STREAM_ABOVE = 512 * 1024**2


@dataclass(frozen=True, eq=False)
class Source:
    """Rows, the form they came in, and why they are streamed, if they are."""

    rows: Dataset | Stream
    form: Form
    reason: str | None = None


def opened(
    x: Any, labels: Any, condition: Any, stream: bool | None, options: Mapping[str, Any]
) -> Source:
    """Rows of any form that `fit` takes.

    Parameters
    ----------
    x, labels, condition, stream
        See `fitting.fit`.
    options
        Columns, drop, label, positive and bounds.

    Raises
    ------
    InvalidInput, DataError
        They are unusable, or an option does not apply to them.
    """
    beside = None if condition is None or _are_names(condition) else condition
    if beside is None and condition is not None:
        options = {**options, "condition": condition}
    if isinstance(x, str | Path):
        if labels is not None:
            raise InvalidInput("labels are for arrays: a file is read with label='NAME'.")
        if beside is not None:
            raise InvalidInput(
                "the condition of a file is named by its columns: condition=['NAME', …]."
            )
        rows, reason = read_or_stream(x, stream, **options)
        return Source(rows, Form.DATASET, reason)
    if isinstance(x, Stream):
        asked = {**options, "labels": labels is not None, "condition": condition is not None}
        given = [name for name, value in asked.items() if value]
        if given or stream is False:
            raise InvalidInput(
                f"{', '.join(given) or 'stream=False'} cannot change a Stream: choose when it is "
                "opened, data.stream(path, …)."
            )
        return Source(x, Form.DATASET, "streamed: as given")
    if stream:
        raise InvalidInput(
            f"the rows are in memory as a {type(x).__name__}: stream=True is for a path."
        )
    rows = as_dataset(x, labels, **options)
    return Source(rows if beside is None else conditioned(rows, beside), form_of(x))


def _are_names(condition: Any) -> bool:
    """Whether a condition names columns, and is not one of numbers."""
    if isinstance(condition, str):
        return True
    return isinstance(condition, list | tuple) and all(isinstance(each, str) for each in condition)


def read_or_stream(
    source: str | Path, stream: bool | None = None, **options: Any
) -> tuple[Dataset | Stream, str | None]:
    """The rows of a source in memory, or streamed; and why, where they are streamed.

    Parameters
    ----------
    source
        See `data.read` and `data.stream`.
    stream
        Whether to stream; None streams what takes more than `STREAM_ABOVE`, and folders of Parquet
        or NPY files.
    options
        Columns, drop, label, positive, bounds and condition, as there.

    Raises
    ------
    InvalidInput, DataError
        As those two; or the source cannot be streamed.
    """
    if isinstance(source, str) and source.startswith(PREFIX):
        if stream:
            raise InvalidInput(f"{source} is small, and read whole: it cannot be streamed.")
        return read(source, **options), None
    reason = "streamed: as asked" if stream else None
    if stream is None:
        reason = _reason(Path(source), _selection(**options))
    if reason is None:
        return read(source, **options), None
    if options.get("condition"):
        if stream:
            raise InvalidInput(
                "rows with a condition are not streamed: leave stream=True (--stream) out, and "
                "they are read at once."
            )
        return read(source, **options), None
    options = {name: value for name, value in options.items() if name != "condition"}
    return stream_of(source, **options), reason


def _selection(
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
    condition: Sequence[str] = (),
) -> Selection:
    return Selection(columns, drop, label, positive, bounds or {}, condition)


def _reason(path: Path, selection: Selection) -> str | None:
    """Why a source is to be streamed, or None where it is read into memory."""
    if not path.exists() or path.suffix.lower() == ".npz":
        return None
    size = decoded_bytes(path, selection)
    if size is None or (size <= STREAM_ABOVE and not only_streamed(path)):
        return None
    mebibytes = f"{size / 2**20:,.0f} MiB as float64"
    if size <= STREAM_ABOVE:
        return f"streamed: a folder of several files, {mebibytes}"
    return f"streamed: {mebibytes}, more than the {STREAM_ABOVE // 2**20} that are read at once"
