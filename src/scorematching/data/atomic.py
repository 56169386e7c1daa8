"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scorematching.data.origin import fault


@contextmanager
def new_file(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    What the block wrote is flushed to the disk first. On any error the temporary is deleted and
    whatever stood at ``path`` stays.

    Raises
    ------
    DataError
        ``path`` exists and ``overwrite`` is false, is a folder, or its folder does not exist.
    OSError
        The disk is full, the folder is read-only, and the like.
    """
    check_free(path, overwrite)
    temporary = _beside(path)
    try:
        yield temporary
        _flush(temporary)
        check_free(path, overwrite)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place when the block ends well.

    Raises
    ------
    DataError
        ``path`` exists and is not an empty folder, or its parent does not exist.
    OSError
        The disk is full, the folder is read-only, and the like.
    """
    check_free_folder(path)
    temporary = _beside(path)
    try:
        temporary.mkdir()
        yield temporary
        check_free_folder(path)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def check_free(path: Path, overwrite: bool) -> None:
    """Raise DataError unless a file may be written at ``path``."""
    if not path.parent.is_dir():
        raise fault(path, f"the folder {path.parent} does not exist. Make it first.")
    _check_access(path.parent)
    if path.is_dir():
        raise fault(path, "expected a path for a file, got a folder.")
    if path.exists() and not overwrite:
        raise fault(path, "the file exists. Choose another name, or ask for overwrite.")


def check_free_folder(path: Path) -> None:
    """Raise DataError unless ``path`` is free or an empty folder."""
    if not path.absolute().parent.is_dir():
        raise fault(path, f"the folder {path.parent} does not exist. Make it first.")
    _check_access(path.absolute().parent)
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists():
        what = "the folder is not empty" if path.is_dir() else "a file has this name"
        raise fault(path, f"{what}. Choose another name, or empty it yourself.")


def _check_access(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise fault(folder, "the folder is read-only for you. Choose another one.")


def _beside(path: Path) -> Path:
    return path.absolute().parent / f".tmp-{os.getpid()}-{secrets.token_hex(8)}"


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
