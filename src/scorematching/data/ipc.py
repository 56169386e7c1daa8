"""The decoded size of an Arrow file, from its block headers, before anything is decoded.

A compressed buffer starts with the size that it will decode to, and Arrow allocates that: a file
of a few kilobytes can ask for terabytes. The headers are FlatBuffers; only the fields that say
where the buffers lie are read here (format: https://arrow.apache.org/docs/format/Columnar.html).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b"ARROW1"
MAX_FOOTER = 1 << 26
RECORD_BATCH, DICTIONARY_BATCH = 3, 2  # of the union MessageHeader


class Malformed(ValueError):
    """The bytes are no Arrow file."""


@dataclass(frozen=True)
class _Table:
    """A FlatBuffers table: field number → position in the buffer."""

    data: bytes
    at: int

    def field(self, number: int) -> int | None:
        vtable = self.at - self.read("<i", self.at)
        slot = vtable + 4 + 2 * number
        if slot + 2 > vtable + self.read("<H", vtable):
            return None
        offset = self.read("<H", slot)
        return self.at + offset if offset else None

    def read(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self.data) - struct.calcsize(form):
            raise Malformed("a field lies outside the header")
        return int(struct.unpack_from(form, self.data, at)[0])

    def table(self, number: int) -> _Table:
        at = self.field(number)
        if at is None:
            raise Malformed(f"field {number} is missing")
        return _Table(self.data, at + self.read("<I", at))

    def structs(self, number: int, form: str) -> list[tuple[int, ...]]:
        at = self.field(number)
        if at is None:
            return []
        start = at + self.read("<I", at)
        count, size = self.read("<I", start), struct.calcsize(form)
        if start + 4 + count * size > len(self.data):
            raise Malformed("a vector lies outside the header")
        return [struct.unpack_from(form, self.data, start + 4 + k * size) for k in range(count)]


def decoded_size(file: BinaryIO) -> int:
    """Bytes that all record and dictionary batches of an Arrow file decode to.

    Raises
    ------
    Malformed
        The bytes are no Arrow file.
    """
    size = file.seek(0, 2)
    tail = _bytes(file, max(0, size - 10), 10)
    length = int.from_bytes(tail[:4], "little")
    if not tail.endswith(MAGIC) or length > min(MAX_FOOTER, size - 10):
        raise Malformed("no Arrow file: its end is missing, or it is an Arrow stream")
    footer = _root(_bytes(file, size - 10 - length, length))
    blocks = footer.structs(2, "<qi4xq") + footer.structs(3, "<qi4xq")
    return sum(_block_size(file, offset, header) for offset, header, _ in blocks)


def _block_size(file: BinaryIO, offset: int, header: int) -> int:
    if not 8 <= header <= MAX_FOOTER:
        raise Malformed("a block has an odd header")
    raw = _bytes(file, offset, header)
    start = 8 if raw[:4] == b"\xff\xff\xff\xff" else 4
    message = _root(raw[start:])
    kind_at = message.field(1)
    kind = message.read("<B", kind_at) if kind_at is not None else 0
    if kind not in (RECORD_BATCH, DICTIONARY_BATCH):
        raise Malformed("a block is no batch")
    batch = message.table(2) if kind == RECORD_BATCH else message.table(2).table(1)
    compressed = batch.field(3) is not None
    total = 0
    for at, length in batch.structs(2, "<qq"):
        stored = length
        if compressed and length > 0:
            (claimed,) = struct.unpack("<q", _bytes(file, offset + header + at, 8))
            stored = length - 8 if claimed == -1 else claimed  # −1: not compressed after all
        if stored < 0:
            raise Malformed("a buffer has a negative size")
        total += stored
    return total


def _root(data: bytes) -> _Table:
    return _Table(data, _Table(data, 0).read("<I", 0))


def _bytes(file: BinaryIO, at: int, count: int) -> bytes:
    if at < 0:
        raise Malformed("a block lies outside the file")
    file.seek(at)
    data = file.read(count)
    if len(data) < count:
        raise Malformed("a block lies outside the file")
    return data
