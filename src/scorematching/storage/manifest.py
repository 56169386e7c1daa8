"""The manifest of a snapshot: what its files must be, and the check that they are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scorematching.errors import CorruptCheckpoint, InvalidInput

FORMAT = "scorematching snapshot"
FORMAT_VERSION = 1
POINTER = "current"
MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
MAX_NAME = 100  # leaves room for the number that tells equal names apart
MAX_FILES = 1000
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 8 << 30


class NewerFormat(CorruptCheckpoint):
    """Written by a newer version of this library: nothing older is loaded in its place."""


def check_name(name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > MAX_NAME or name in (POINTER, MANIFEST):
        raise InvalidInput(
            f"{name!r} cannot name a snapshot or its file. Use up to {MAX_NAME} letters, digits "
            f"and . _ -, starting with a letter or digit, and neither {POINTER} nor {MANIFEST}."
        )


def manifest_bytes(name: str, sequence: int, files: Mapping[str, bytes]) -> bytes:
    entries = {
        file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for file, content in files.items()
    }
    header = {"format": FORMAT, "format_version": FORMAT_VERSION}
    return json.dumps(
        {**header, "name": name, "sequence": sequence, "files": entries}, indent=1
    ).encode()


def verified_files(path: Path, digest: str | None, max_bytes: int) -> Mapping[str, bytes]:
    """The files of one snapshot, or CorruptCheckpoint that says what is wrong with it."""
    raw = _read(path / MANIFEST, MAX_MANIFEST_BYTES)
    manifest = _json(raw, path / MANIFEST)
    version, entries = manifest.get("format_version"), manifest.get("files")
    if manifest.get("format") != FORMAT or not isinstance(version, int):
        raise CorruptCheckpoint(f"{path / MANIFEST} is not the manifest of a snapshot")
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"{path} has format version {version}; this library reads up to {FORMAT_VERSION}. "
            "Upgrade it."
        )
    if digest is not None and hashlib.sha256(raw).hexdigest() != digest:
        raise CorruptCheckpoint(f"{path / MANIFEST} is not the one that was saved")
    if manifest.get("name") != path.name:
        raise CorruptCheckpoint(f"{path} holds another snapshot, {manifest.get('name')!r}")
    if not isinstance(entries, dict) or len(entries) > MAX_FILES:
        raise CorruptCheckpoint(f"{path / MANIFEST} lists no files, or too many")
    return MappingProxyType(
        {file: _verified_file(path, file, entry, max_bytes) for file, entry in entries.items()}
    )


def _verified_file(path: Path, file: str, entry: Any, max_bytes: int) -> bytes:
    if not NAME.fullmatch(file) or not isinstance(entry, dict):
        raise CorruptCheckpoint(f"{path / MANIFEST} has a malformed entry {file!r}")
    content = _read(path / file, max_bytes, size=entry.get("bytes"))
    if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
        raise CorruptCheckpoint(f"{path / file} does not match its checksum")
    return content


def read_pointer(root: Path) -> tuple[str, str]:
    """The name of the current snapshot and the SHA-256 of its manifest."""
    fields = _json(_read(root / POINTER, 4096), root / POINTER)
    name, digest = fields.get("name"), fields.get("manifest_sha256")
    if not isinstance(name, str) or not NAME.fullmatch(name) or not isinstance(digest, str):
        raise CorruptCheckpoint(f"{root / POINTER} does not name a snapshot")
    return name, digest


def sequence_numbers(root: Path) -> dict[str, int]:
    """Sequence numbers of the snapshots in root, good or not; other folders are left out."""
    ages = {}
    for path in Path(root).iterdir():
        if not NAME.fullmatch(path.name) or not (path / MANIFEST).is_file():
            continue
        try:
            manifest = _json(_read(path / MANIFEST, MAX_MANIFEST_BYTES), path)
        except CorruptCheckpoint:
            continue
        sequence = manifest.get("sequence")
        if manifest.get("format") == FORMAT and isinstance(sequence, int):
            ages[path.name] = sequence
    return ages


def _json(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpoint(f"{path} is not JSON") from error
    if not isinstance(fields, dict):
        raise CorruptCheckpoint(f"{path} is not a JSON object")
    return fields


def _read(path: Path, cap: int, size: int | None = None) -> bytes:
    """The bytes of a regular file of at most cap bytes, of exactly size bytes where given."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise CorruptCheckpoint(f"{path} is not a regular file")
        if status.st_size > cap:
            raise CorruptCheckpoint(f"{path} has {status.st_size} bytes, more than the cap {cap}")
        if size is not None and status.st_size != size:
            raise CorruptCheckpoint(f"{path} has {status.st_size} bytes instead of {size}")
        return path.read_bytes()
    except OSError as error:
        raise CorruptCheckpoint(f"cannot read {path} ({error.strerror})") from error
