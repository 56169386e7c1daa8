"""Rows of a file or folder: read into memory, or streamed where they are too many."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from scorematching.data import Dataset, Stream, read
from scorematching.data import stream as stream_of
from scorematching.data.builtin import PREFIX
from scorematching.data.groups import decoded_bytes, only_streamed
from scorematching.data.selection import Bound, Selection
from scorematching.errors import InvalidInput

#: Rows that would take more than this as float64 are streamed unless asked otherwise.
STREAM_ABOVE = 512 * 1024**2


def read_or_stream(
    source: str | Path,
    stream: bool | None = None,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
) -> tuple[Dataset | Stream, str | None]:
    """The rows of a source in memory, or streamed; and why, where they are streamed.

    Parameters
    ----------
    source, columns, drop, label, positive, bounds
        See `data.read` and `data.stream`.
    stream
        Whether to stream; None streams what takes more than `STREAM_ABOVE`, and folders of Parquet
        or NPY files.

    Raises
    ------
    InvalidInput, DataError
        As those two; or the source cannot be streamed, or only that.
    """
    options = {"columns": columns, "drop": drop, "label": label}
    options |= {"positive": positive, "bounds": bounds}
    if isinstance(source, str) and source.startswith(PREFIX):
        if stream:
            raise InvalidInput(f"{source} is small, and read whole: it cannot be streamed.")
        return read(source, **options), None  # type: ignore[arg-type]
    path = Path(source)
    if stream is None:
        reason = _reason(path, Selection(columns, drop, label, positive, bounds or {}))
    else:
        reason = "streamed: as asked" if stream else None
    if reason is None:
        return read(source, **options), None  # type: ignore[arg-type]
    return stream_of(source, **options), reason  # type: ignore[arg-type]


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
