"""Atomic snapshots of a few files.

A snapshot is a folder of files with a manifest of their sizes and SHA-256, written under a
temporary name and renamed when complete; the pointer file ``current`` names the newest. Whatever
moment a process dies at, `read_snapshot` finds the last good one. Nothing here unpickles.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.storage.manifest import (
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_FILES,
    POINTER,
    NewerFormat,
    check_name,
    manifest_bytes,
    read_pointer,
    sequence_numbers,
    verified_files,
)

TEMPORARY = ".scorematching-tmp-"


@dataclass(frozen=True)
class Snapshot:
    """A verified snapshot: its name, folder and files, and what was wrong with newer ones."""

    name: str
    path: Path
    files: Mapping[str, bytes]
    warnings: tuple[str, ...] = ()


def write_snapshot(root: Path, name: str, files: Mapping[str, bytes], *, keep: int = 2) -> Path:
    """Save the files as a new snapshot of root and make it the current one, or change nothing.

    Parameters
    ----------
    root
        The folder of snapshots; made if missing. One writer at a time: see `run_lock`.
    name
        Letters, digits, ``. _ -``. A number is appended if the name is taken.
    files
        Names (same letters) to contents.
    keep
        Snapshots to keep, at least 2: the current one and the newest good one before it.

    Returns
    -------
    Path
        The folder of the snapshot.

    Raises
    ------
    InvalidInput
        A name is not allowed, there are no files, keep is below 2, or root is a file.
    OSError
        Disk full, read-only folder and the like; what was saved before is untouched.
    """
    for each in (name, *files):
        check_name(each)
    if not 1 <= len(files) <= MAX_FILES:
        raise InvalidInput(f"a snapshot holds 1 to {MAX_FILES} files: got {len(files)}.")
    if keep < 2:
        raise InvalidInput(f"keep must be at least 2 (current and previous): got {keep}.")
    root = Path(root)
    if root.exists() and not root.is_dir():
        raise InvalidInput(f"{root} is a file: expected a folder, or a path not yet taken.")
    folder: Path | None = None
    temporary = root / (TEMPORARY + secrets.token_hex(8))
    try:
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        older = sequence_numbers(root)
        sequence = 1 + max(older.values(), default=0)
        target = _free(root, name)
        temporary.mkdir()
        for file, content in files.items():
            _write(temporary / file, content)
        manifest = manifest_bytes(target.name, sequence, files)
        _write(temporary / MANIFEST, manifest)
        _sync_folder(temporary)
        os.rename(temporary, target)
        folder = target
        _sync_folder(root)
        digest = hashlib.sha256(manifest).hexdigest()
        pointer = json.dumps({"name": target.name, "manifest_sha256": digest}).encode()
        _write(temporary, pointer)
        os.replace(temporary, root / POINTER)
    except BaseException as error:
        _remove(temporary)
        if folder is not None and not _points_to(root, folder.name):
            _remove(folder)
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f"could not save {name} ({error.strerror}); nothing was replaced",
                str(root),
            ) from error
        raise
    _sync_folder(root)
    _drop_old(root, older, keep)
    return target


def read_snapshot(root: Path, *, max_bytes: int = MAX_FILE_BYTES) -> Snapshot:
    """The current snapshot of root, verified; or the newest good one, with warnings that say so.

    Parameters
    ----------
    root
        The folder given to `write_snapshot`.
    max_bytes
        Largest file to read into memory.

    Raises
    ------
    InvalidInput
        There is no such folder, or it never held a snapshot.
    CorruptCheckpoint
        No snapshot is good (the message says what is wrong with each), or the current one was
        written by a newer version of this library.
    """
    root = Path(root)
    if not root.is_dir():
        raise InvalidInput(f"{root} is not a folder: there is nothing to load.")
    if not has_snapshot(root):
        raise InvalidInput(f"{root} holds no snapshot: save to it first, or check the path.")
    problems: list[str] = []
    current, digest = None, None
    try:
        current, digest = read_pointer(root)
        return Snapshot(current, root / current, verified_files(root / current, digest, max_bytes))
    except NewerFormat:
        raise
    except CorruptCheckpoint as error:
        problems.append(str(error))
    ages = sequence_numbers(root)
    for name in sorted(ages, key=lambda each: ages[each], reverse=True):
        if name == current:
            continue
        try:
            files = verified_files(root / name, None, max_bytes)
        except CorruptCheckpoint as error:
            problems.append(str(error))
            continue
        warning = f"{'; '.join(problems)}. Loaded the good snapshot {name} instead."
        return Snapshot(name, root / name, files, (warning,))
    raise CorruptCheckpoint(f"no good snapshot in {root}: {'; '.join(problems)}.")


def has_snapshot(root: Path) -> bool:
    """Whether root holds a snapshot or the pointer to one, good or not."""
    root = Path(root)
    return root.is_dir() and ((root / POINTER).exists() or bool(sequence_numbers(root)))


def sweep(root: Path) -> None:
    """Remove what killed writers left behind; call it where no other process writes to root."""
    for path in Path(root).glob(TEMPORARY + "*"):
        _remove(path)


def _free(root: Path, name: str) -> Path:
    """root/name, or the first of root/name.2, root/name.3, … that is not taken."""
    candidate, count = root / name, 1
    while os.path.lexists(candidate):
        count += 1
        candidate = root / f"{name}.{count}"
    return candidate


def _drop_old(root: Path, older: Mapping[str, int], keep: int) -> None:
    """Remove snapshots beyond the newest keep, sparing the newest good one before the current."""
    newest_first = sorted(older, key=lambda each: older[each], reverse=True)
    good_found = False
    for kept, name in enumerate(newest_first, start=2):
        if good_found and kept > keep:
            # Renamed first: a kill halfway leaves a temporary, not half a snapshot.
            temporary = root / (TEMPORARY + secrets.token_hex(8))
            os.rename(root / name, temporary)
            _remove(temporary)
        elif not good_found:
            good_found = _is_good(root / name)


def _is_good(path: Path) -> bool:
    try:
        verified_files(path, None, MAX_FILE_BYTES)
    except CorruptCheckpoint:
        return False
    return True


def _points_to(root: Path, name: str) -> bool:
    try:
        return read_pointer(root)[0] == name
    except CorruptCheckpoint:
        return False


def _write(path: Path, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):  # a read-only disk refuses to remove even what is not there
        path.unlink()
