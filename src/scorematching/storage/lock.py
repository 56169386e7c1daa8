"""One writer a folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scorematching.errors import InvalidInput, RunLocked

LOCK = ".lock"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold folder (made if missing) for this process alone.

    The lock is the operating system's, on the open file ``.lock``: it ends with the process,
    however that dies, so a stale file never blocks.

    Raises
    ------
    RunLocked
        A live process holds it; the message names its process id and host.
    InvalidInput
        folder is a file, or cannot be made or written to, or this system has no such locks.
    """
    try:
        import fcntl
    except ImportError as error:
        raise InvalidInput("this system has no flock: runs cannot be kept in a folder.") from error
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file: expected a folder, or a path not yet taken.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise InvalidInput(
            f"cannot write to the folder {folder}: {error.strerror}. Choose another one."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
            raise RunLocked(
                f"{folder} is in use by {holder or 'another process'}. "
                "Wait for it, stop it, or choose another folder."
            ) from None
        except OSError as error:
            raise InvalidInput(
                f"the file system of {folder} has no locks ({error.strerror}). Choose another one."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
