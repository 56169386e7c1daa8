"""Tensors survive the round trip bit for bit; malformed bytes are refused before allocation."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.storage import pack_tensors, unpack_tensors
from scorematching.storage.tensors import DTYPES


def same(a: Tensor, b: Tensor) -> bool:
    bits = [each.contiguous().flatten().view(torch.uint8) for each in (a, b)]
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(*bits)


def awkward() -> dict[str, Tensor]:
    base = torch.arange(12.0).reshape(3, 4)
    images = base.reshape(1, 3, 2, 2).to(memory_format=torch.channels_last)
    return {
        "base": base,
        "shared": base,
        "transposed": base.T,
        "every other": base[:, ::2],
        "expanded": torch.tensor(2.0).expand(5),
        "images": images,
        "scalar": torch.tensor(3.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "special": torch.tensor([float("nan"), float("inf"), -0.0]),
        "trained": torch.ones(2, requires_grad=True),
    }


def test_shared_strided_scalar_and_empty_tensors_come_back_bit_for_bit() -> None:
    tensors = awkward()
    loaded = unpack_tensors(pack_tensors(tensors))
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert same(tensor.detach(), loaded[name]), name
        assert loaded[name].is_contiguous()
    loaded["base"].zero_()
    assert loaded["shared"].any()


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES.keys())
def test_every_dtype_comes_back(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[0, 1], [1, 1]]).to(dtype)
    assert same(tensor, unpack_tensors(pack_tensors({"x": tensor}))["x"])


def test_equal_tensors_give_equal_bytes() -> None:
    tensors = awkward()
    assert pack_tensors(tensors) == pack_tensors(dict(reversed(tensors.items())))


def test_no_tensors_are_fine() -> None:
    assert unpack_tensors(pack_tensors({})) == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.eye(2).to_sparse(), "x must be a dense tensor"),
        (torch.ones(1, dtype=torch.complex64), "x has dtype torch.complex64"),
        ({"state": 1}, "x must be a dense tensor"),
    ],
)
def test_what_cannot_be_saved_is_named(value: Tensor, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        pack_tensors({"x": value})


def forged(**entries: object) -> bytes:
    header = json.dumps(entries).encode()
    return len(header).to_bytes(8, "little") + header + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04K\x01.",
        b"\xff" * 100,
        (8).to_bytes(8, "little") + b"[" * 8,
        (2).to_bytes(8, "little") + b"[]",
        (1 << 24).to_bytes(8, "little") + b"[" * (1 << 24),
        forged(x=None),
        forged(x={"dtype": "F32", "shape": [1 << 60], "data_offsets": [0, 16]}),
        forged(x={"dtype": "F32", "shape": [1 << 31, 1 << 31], "data_offsets": [0, 1 << 64]}),
        forged(x={"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]}),
        forged(x={"dtype": "F32", "shape": [True, 4], "data_offsets": [0, 16]}),
        forged(x={"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}),
        forged(x={"dtype": "PICKLE", "shape": [4], "data_offsets": [0, 16]}),
        forged(x={"dtype": ["F32"], "shape": [4], "data_offsets": [0, 16]}),
        forged(x={"dtype": "F32", "shape": [4], "data_offsets": [16, 32]}),
        forged(x={"dtype": "F32", "shape": 4, "data_offsets": [0, 16]}),
        forged(__metadata__=3, x={"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}),
    ],
)
def test_malformed_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(CorruptCheckpoint):
        unpack_tensors(content)


def test_bytes_cut_short_anywhere_are_refused() -> None:
    content = pack_tensors({"x": torch.ones(3), "y": torch.ones(2, 2)})
    for length in range(len(content)):
        with pytest.raises(CorruptCheckpoint):
            unpack_tensors(content[:length])


def test_a_changed_byte_is_refused_or_read_and_raises_nothing_else() -> None:
    content = pack_tensors({"x": torch.ones(3), "y": torch.ones(2, 2)})
    refused = 0
    for position in range(len(content) - 28):
        for value in (0, 34, 45, 57, 125, 255):
            changed = bytearray(content)
            changed[position] = value
            try:
                unpack_tensors(bytes(changed))
            except CorruptCheckpoint:
                refused += 1
    assert refused > 300


def test_the_cap_counts_all_tensors_together() -> None:
    content = pack_tensors({"x": torch.ones(3), "y": torch.ones(5)})
    assert len(unpack_tensors(content, max_bytes=32)) == 2
    with pytest.raises(CorruptCheckpoint, match="32 bytes, more than the cap 31"):
        unpack_tensors(content, max_bytes=31)
