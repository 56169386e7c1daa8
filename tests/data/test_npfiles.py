"""NPY and NPZ files: read without pickle, refused before a bomb goes off."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scorematching.data.npfiles import read_npy
from scorematching.data.schema import ImageSchema, LabelSchema, Layout
from scorematching.errors import DataError

X = np.random.default_rng(3).normal(size=(6, 2))


def header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy_bytes(x: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, x, allow_pickle=False)
    return sink.getvalue()


def test_arrays_come_back_bit_by_bit(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", X)
    np.save(tmp_path / "f.npy", np.asfortranarray(X))
    np.save(tmp_path / "big.npy", X.astype(">f8"))
    np.savez(tmp_path / "one.npz", anything=X)
    np.savez_compressed(tmp_path / "x.npz", x=X)
    for name in ("c.npy", "f.npy", "big.npy", "one.npz", "x.npz"):
        assert read_npy(tmp_path / name).values.tobytes() == X.tobytes()


def test_labels_are_used_when_asked_for_and_mentioned_when_not(tmp_path: Path) -> None:
    path = tmp_path / "xy.npz"
    np.savez(path, x=X, y=np.array(list("uvuvuv")))
    labelled = read_npy(path, label="y")
    assert labelled.schema.label == LabelSchema("y", ("u", "v"))
    assert any("label='y'" in note for note in read_npy(path).notes)
    again = read_npy(path, like=labelled.schema)  # type: ignore[arg-type]
    assert again.labels is not None
    assert again.labels.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("members", "label", "message"),
    [
        (
            {"a": X, "b": X},
            None,
            "must hold one array, or x, its labels y and its condition c: got 'a', 'b'",
        ),
        ({"x": X, "z": X}, None, "got 'x', 'z'"),
        ({"x": X}, "y", "there are no the labels|no labels"),
        ({"x": X, "y": np.arange(6)}, "k", "label='k'"),
        ({"x": X, "y": np.arange(5)}, "y", r"one per row, shape \(6,\): got \(5,\)"),
        ({}, None, "got none"),
    ],
)
def test_archives_that_cannot_be_used_are_named(
    tmp_path: Path, members: dict[str, Any], label: str | None, message: str
) -> None:
    path = npz(tmp_path / "t.npz", **{name: npy_bytes(x) for name, x in members.items()})
    with pytest.raises(DataError, match=message):
        read_npy(path, label=label)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "owned",))

    np.save(tmp_path / "p.npy", np.array([Malicious()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "p.npz", x=np.array([Malicious()], dtype=object))
    (tmp_path / "q.npy").write_bytes(pickle.dumps(Malicious()))
    (tmp_path / "owned").unlink(missing_ok=True)
    for name, message in (("p.npy", "only pickle"), ("p.npz", "only pickle"), ("q.npy", "damaged")):
        with pytest.raises(DataError, match=message):
            read_npy(tmp_path / name)
    assert not (tmp_path / "owned").exists()


ZEROS = bytes(8_000_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("(1000000000, 1000)"), "more than the limit of 1,000,000"),
        (header("(1000000,)", "<f4"), "more than the limit"),  # 4 MB, and 8 MB as float64
        (header("(10, 10)"), "expected 800 bytes of values, found only 0"),
        (header("(10, 10)") + bytes(801), "expected 800 bytes of values, found more"),
        (header("(10, 10)") + ZEROS, "found more"),
        (header("(-10, -10)") + bytes(800), "damaged"),
        (header("(10, 10)", "|O"), "only pickle"),
        (header("(10, 10)", "<c16"), "dtype must be one of"),
        (header("(10, 10)", "<U4"), "dtype must be one of"),
        (header("__import__('os')"), "damaged"),
        (header("(1,) * 1000"), "damaged"),
        (header("(" + "1, " * 6000 + ")"), "damaged"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "damaged"),
        (b"PK not an array", "damaged"),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_a_lying_header_is_refused_before_anything_is_allocated(
    tmp_path: Path, content: bytes, message: str, archived: bool
) -> None:
    path = tmp_path / "bomb.npy"
    path.write_bytes(content)
    if archived:
        path = npz(tmp_path / "bomb.npz", x=content)
    tracemalloc.start()
    with pytest.raises(DataError, match=message) as caught:
        read_npy(path, max_bytes=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert peak < 3_000_000


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    whole = npz(tmp_path / "whole.npz", x=npy_bytes(X)).read_bytes()
    path = tmp_path / "cut.npz"
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    for content in (whole[:-30], whole[30:], b"no zip", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            read_npy(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        read_npy(path)


def test_an_npy_file_has_no_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match="label='y' has no effect"):
        read_npy(tmp_path / "x.npy", label="y")


def test_real_digits_are_images_with_labels(shared: Path) -> None:
    data = read_npy(shared / "data" / "mnist_10k.npz", label="y")
    classes = tuple("0123456789")
    assert data.schema == ImageSchema(
        (1, 28, 28), label=LabelSchema("y", classes, True), layout=Layout.NO_CHANNEL
    )
    assert data.values.shape == (10_000, 1, 28, 28)
    with np.load(shared / "data" / "mnist_10k.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(data.values[:, 0], file["x"])
        np.testing.assert_array_equal(data.labels, file["y"])
