"""The way in to a stream: a Parquet or NPY file, or a folder of such files or of images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from scorematching.data.arraygroups import ArrayGroups
from scorematching.data.columnar import column_names, row_groups
from scorematching.data.imagegroups import ImageGroups
from scorematching.data.images import IMAGE_ENDINGS, image_files
from scorematching.data.origin import Origin, fault
from scorematching.data.selection import Bound, Selection
from scorematching.data.streams import Stream
from scorematching.data.tablegroups import TableGroups
from scorematching.data.tables import wanted_names

PARQUET, NPY = ".parquet", ".npy"


def stream(
    source: str | Path,
    *,
    columns: Sequence[str] | None = None,
    drop: Collection[str] = (),
    label: str | None = None,
    positive: Collection[str] = (),
    bounds: Mapping[str, Bound] | None = None,
) -> Stream:
    """Rows of a source too large to read at once, looked through once.

    The pass finds constant columns, classes and cells that cannot be used, as `read` does; it does
    not look for repeated rows.

    Parameters
    ----------
    source
        A .parquet or .npy file, or a folder of such files or of PNG or JPEG images.
    columns, drop, positive, bounds
        For tables: see `read_table`.
    label
        The label column of a table; any name for the classes that are the subfolders of a folder
        of images.

    Raises
    ------
    DataError
        The source cannot be read or streamed, or an option does not apply to it; as `read`.
    """
    selection = Selection(columns, drop, label, positive, bounds or {})
    return groups_of(Path(source), selection).surveyed()


def groups_of(source: Path, selection: Selection) -> TableGroups | ArrayGroups | ImageGroups:
    """The groups of a Parquet or NPY file, or of a folder of those or of images.

    Raises
    ------
    DataError
        It is none of them, or an option does not apply to it.
    """
    files = _files(source)
    ending = files[0].suffix.lower()
    if ending == PARQUET:
        return TableGroups.of(source, files, selection)
    given = [name for name in ("columns", "drop", "positive", "bounds") if getattr(selection, name)]
    if given:
        raise fault(source, f"{', '.join(given)} name columns, and only tables have those.")
    if ending == NPY:
        if selection.label is not None:
            raise fault(
                source, f"NPY files have no labels: label={selection.label!r} has no effect."
            )
        return ArrayGroups.of(source, files)
    return ImageGroups.of(source, files, selection.label)


def decoded_bytes(source: Path, selection: Selection) -> int | None:
    """What the rows of a source would take in memory as float64; None where it cannot be streamed.

    Raises
    ------
    DataError
        The source is damaged; or as `Selection`.
    """
    if not source.is_dir() and source.suffix.lower() not in (PARQUET, NPY):
        return None
    files = _files(source)
    if files[0].suffix.lower() == PARQUET:
        names = wanted_names(column_names(files[0]), selection, None, Origin(str(source)))
        return 8 * len(names) * sum(sum(row_groups(file)) for file in files)
    if files[0].suffix.lower() == NPY:
        return ArrayGroups.of(source, files).decoded_bytes
    return ImageGroups.of(source, files, None).decoded_bytes


def only_streamed(source: Path) -> bool:
    """Whether it is a folder of Parquet or NPY files, which are not read into memory together."""
    return source.is_dir() and _files(source)[0].suffix.lower() in (PARQUET, NPY)


def _files(source: Path) -> list[Path]:
    """The file itself, or the files of one kind in the folder, by name."""
    if not source.is_dir():
        if source.suffix.lower() not in (PARQUET, NPY):
            raise fault(
                source,
                "only Parquet and NPY files, and folders of them or of images, can be streamed. "
                "Write a table as Parquet (pyarrow.parquet.write_table), or read it whole.",
            )
        return [source]
    try:
        entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise fault(source, f"cannot be read: {error.strerror}.") from error
    kinds = {
        ending: [e for e in entries if e.suffix.lower() == ending] for ending in (PARQUET, NPY)
    }
    found = {ending: files for ending, files in kinds.items() if files}
    images = image_files(source)
    if images:
        found[IMAGE_ENDINGS[0]] = images
    if len(found) > 1:
        raise fault(source, f"the folder holds files of several kinds: {', '.join(found)}.")
    if not found:
        raise fault(
            source, f"the folder holds no {PARQUET} or {NPY} files and no images. Check the path."
        )
    return next(iter(found.values()))
