"""Saving that survives kills, full disks and tampering: snapshots, tensors, one writer a folder."""

from scorematching.storage.lock import run_lock
from scorematching.storage.manifest import NewerFormat
from scorematching.storage.snapshot import (
    Snapshot,
    has_snapshot,
    read_snapshot,
    sweep,
    write_snapshot,
)
from scorematching.storage.tensors import pack_tensors, unpack_tensors

__all__ = [
    "NewerFormat",
    "Snapshot",
    "has_snapshot",
    "pack_tensors",
    "read_snapshot",
    "run_lock",
    "sweep",
    "unpack_tensors",
    "write_snapshot",
]
