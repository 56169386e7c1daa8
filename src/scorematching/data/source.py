"""One way in: a file, a folder of images, or a built-in set by its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from scorematching.data.builtin import PREFIX, builtin
from scorematching.data.dataset import MAX_BYTES, Dataset
from scorematching.data.images import read_images
from scorematching.data.npfiles import read_npy
from scorematching.data.origin import fault
from scorematching.data.schema import ArraySchema, ImageSchema, Schema, TableSchema
from scorematching.data.selection import Bound
from scorematching.data.tables import TABLE_ENDINGS, read_table
from scorematching.data.writing import ARRAY_ENDINGS, check_writable, write
from scorematching.errors import DataError


def read(
    source: str | Path,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
    condition: Sequence[str] = (),
    like: Schema | None = None,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Rows from wherever they are.

    Parameters
    ----------
    source
        A .csv, .tsv, .parquet, .feather, .arrow, .npy or .npz file; a folder of PNG or JPEG
        images; or ``builtin:NAME``.
    columns, drop, positive, bounds, condition
        For tables: see `read_table`. condition is ``["c"]`` for an NPZ file with numbers c.
    label
        The label column of a table; ``"y"`` for an NPZ file with labels; any name for the classes
        that are the subfolders of a folder of images; ``"target"`` for a built-in set.
    like
        Read rows for a model that was fitted to this schema; see `read_table`.
    max_bytes
        Largest decoded size.

    Raises
    ------
    DataError
        The source cannot be read, or an option does not apply to it; the message says why.
    """
    table_options = {"columns": columns, "drop": drop, "positive": positive, "bounds": bounds}
    table_options |= {"condition": condition}
    given = [name for name, value in table_options.items() if value]
    if Path(source).suffix.lower() == ".npz":
        given = [name for name in given if name != "condition"]
    if isinstance(source, str) and source.startswith(PREFIX):
        return builtin(
            source.removeprefix(PREFIX),
            columns=columns, drop=drop, label=label, positive=positive, bounds=bounds,
            condition=condition, like=like,
        )  # fmt: skip
    path = Path(source)
    ending = path.suffix.lower()
    try:
        path.is_dir()
    except OSError as error:  # a name longer than the file system allows, say
        raise fault(path, f"cannot be read: {error.strerror}.") from error
    if ending in TABLE_ENDINGS and not path.is_dir():
        if like is not None and not isinstance(like, TableSchema):
            raise _mismatch(path, "a table", like)
        return read_table(
            path,
            columns=columns, drop=drop, label=label, positive=positive, bounds=bounds,
            condition=condition, like=like, max_bytes=max_bytes,
        )  # fmt: skip
    if not path.is_dir():
        _check_known(path, ending)
    if given:
        raise fault(path, f"{', '.join(given)} name columns, and only tables have those.")
    if like is not None and label is not None:
        raise fault(path, "the label is that of the fitted model: give none.")
    if path.is_dir():
        if like is not None and not isinstance(like, ImageSchema):
            raise _mismatch(path, "a folder of images", like)
        return read_images(path, label=label, like=like, max_bytes=max_bytes)
    if isinstance(like, TableSchema):
        raise _mismatch(path, "an array", like)
    return read_npy(path, label=label, condition=condition, like=like, max_bytes=max_bytes)


def _check_known(path: Path, ending: str) -> None:
    known = ", ".join((*TABLE_ENDINGS, *ARRAY_ENDINGS))
    if not path.exists():
        raise fault(
            path, f"no such file or folder. Give a path, or {PREFIX}NAME for a built-in set."
        )
    if ending not in ARRAY_ENDINGS:
        raise fault(
            path,
            f"the ending {ending!r} is not known. Use one of {known}, a folder of PNG or "
            f"JPEG images, or {PREFIX}NAME.",
        )


def _mismatch(path: Path, what: str, like: Schema) -> DataError:
    kinds = {TableSchema: "a table", ImageSchema: "images", ArraySchema: "an array"}
    return fault(path, f"the model was fitted to {kinds[type(like)]}, and this is {what}.")


__all__ = ["check_writable", "read", "write"]
