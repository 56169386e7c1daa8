"""Named tensors to and from bytes in the safetensors format: no code is ever loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeGuard

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from scorematching.errors import CorruptCheckpoint, InvalidInput

MAX_RANK = 16
MAX_HEADER_BYTES = 16 << 20
MAX_BYTES = 8 << 30
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def pack_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """The tensors as safetensors bytes; shared, strided and accelerator tensors are copied out.

    Raises
    ------
    InvalidInput
        A value is not a dense tensor of a real dtype.
    """
    dense = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise InvalidInput(f"{name} must be a dense tensor to be saved: got {tensor!r:.80}.")
        if tensor.dtype not in DTYPES.values():
            raise InvalidInput(f"{name} has dtype {tensor.dtype}, which is not saved.")
        dense[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    return bytes(save(dense))


def unpack_tensors(content: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Tensor]:
    """The tensors in safetensors bytes, on the CPU.

    The header is checked before anything is allocated: known dtypes, at most 16 axes, sizes that
    match the bytes present, max_bytes in all.

    Raises
    ------
    CorruptCheckpoint
        The bytes are malformed, or hold more than max_bytes.
    """
    total = sum(_size(name, entry) for name, entry in _header(content).items())
    if total > max_bytes:
        raise CorruptCheckpoint(f"the tensors take {total} bytes, more than the cap {max_bytes}")
    try:
        loaded = load(content)
    except (SafetensorError, ValueError, TypeError, RuntimeError) as error:
        raise CorruptCheckpoint(f"malformed safetensors: {error}") from error
    return {name: tensor.clone() for name, tensor in loaded.items()}


def _header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(MAX_HEADER_BYTES, len(content) - 8):
        raise CorruptCheckpoint("malformed safetensors: the header is cut short")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpoint("malformed safetensors: the header is not JSON") from error
    if not isinstance(header, dict):
        raise CorruptCheckpoint("malformed safetensors: the header is not a JSON object")
    header.pop("__metadata__", None)
    return header


def _size(name: str, entry: Any) -> int:
    """The bytes that a header entry asks for, which are those it points at."""
    fields = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CorruptCheckpoint(f"tensor {name!r} has the unknown dtype {dtype!r:.40}")
    if not _naturals(shape) or len(shape) > MAX_RANK:
        raise CorruptCheckpoint(f"tensor {name!r} has the impossible shape {shape!r:.80}")
    size = math.prod(shape) * DTYPES[dtype].itemsize
    if not _naturals(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise CorruptCheckpoint(f"tensor {name!r} of shape {shape!r:.80} does not fit its bytes")
    return size


def _naturals(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in values
    )
