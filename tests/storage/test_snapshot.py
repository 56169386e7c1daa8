"""Whatever happens to a save, a good snapshot loads or an error says why there is none."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.storage import (
    NewerFormat,
    has_snapshot,
    read_snapshot,
    snapshot,
    sweep,
    write_snapshot,
)

OLD, NEW = {"a.txt": b"old", "b.bin": b"\0" * 5000}, {"a.txt": b"new", "b.bin": b"\1" * 5000}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two snapshots, the current one NEW and the previous one OLD."""
    root = tmp_path / "run"
    write_snapshot(root, "one", OLD)
    write_snapshot(root, "two", NEW)
    return root


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_what_was_written_is_read_back_without_warnings(root: Path) -> None:
    loaded = read_snapshot(root)
    assert (loaded.name, loaded.path, dict(loaded.files)) == ("two", root / "two", NEW)
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    "name", ["with space", "emoji 🎲", "new\nline", "-dash", "ü" * 100, "x" * 200]
)
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    write_snapshot(tmp_path / name, "one", NEW)
    assert dict(read_snapshot(tmp_path / name).files) == NEW


@pytest.mark.parametrize(
    "name",
    ["", ".hidden", "..", "../up", "a/b", "a\\b", "a\0b", "-x", "x\n", "é", "x" * 101, "current"],
)
def test_names_that_could_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        write_snapshot(tmp_path, name, NEW)
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        write_snapshot(tmp_path, "one", {name: b""})
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        write_snapshot(tmp_path, "one", {"manifest.json": b""})
    assert names(tmp_path) == set()


def test_a_taken_name_gets_a_number_and_the_newest_wins(tmp_path: Path) -> None:
    for i in range(4):
        write_snapshot(tmp_path, "same" + "x" * 96, {"i": b"%d" % i})
    assert read_snapshot(tmp_path).files["i"] == b"3"


def test_old_snapshots_beyond_keep_are_dropped(tmp_path: Path) -> None:
    for i in range(6):
        write_snapshot(tmp_path, f"s{i}", {"i": b"%d" % i}, keep=3)
    assert names(tmp_path) == {"current", "s3", "s4", "s5"}
    with pytest.raises(InvalidInput, match="keep must be at least 2"):
        write_snapshot(tmp_path, "s6", NEW, keep=1)


def test_the_last_good_snapshot_outlives_bad_ones_beyond_keep(tmp_path: Path) -> None:
    for i in range(4):
        write_snapshot(tmp_path, f"s{i}", {"i": b"%d" % i})
        if i in (1, 2):
            (tmp_path / f"s{i}" / "i").write_bytes(b"bad")
    assert "s0" in names(tmp_path)
    (tmp_path / "s3" / "i").unlink()
    assert read_snapshot(tmp_path).name == "s0"


def test_folders_of_others_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "extension").mkdir()
    (tmp_path / "extension" / "manifest.json").write_text('{"name": "x", "sequence": 9}')
    for i in range(5):
        write_snapshot(tmp_path, f"s{i}", NEW)
    assert {"photos", "extension"} <= names(tmp_path)
    assert (tmp_path / "extension" / "manifest.json").exists()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit_manifest(root: Path, **changes: object) -> None:
    path = root / "two" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def swap_folders(root: Path) -> None:
    os.rename(root / "two", root / "aside")
    shutil.copytree(root / "one", root / "two")
    shutil.rmtree(root / "aside")


def link_out(root: Path) -> None:
    outside = root.parent / "outside"
    outside.write_bytes(NEW["a.txt"])
    (root / "two" / "a.txt").unlink()
    (root / "two" / "a.txt").symlink_to(outside)


def fifo(root: Path) -> None:
    (root / "two" / "a.txt").unlink()
    os.mkfifo(root / "two" / "a.txt")


FAULTS: dict[str, Callable[[Path], object]] = {
    "flipped bit": lambda root: flip(root / "two" / "b.bin"),
    "truncated file": lambda root: os.truncate(root / "two" / "b.bin", 100),
    "emptied file": lambda root: os.truncate(root / "two" / "a.txt", 0),
    "missing file": lambda root: (root / "two" / "a.txt").unlink(),
    "huge sparse file": lambda root: os.truncate(root / "two" / "b.bin", 1 << 40),
    "swapped files": lambda root: shutil.copy(root / "one" / "a.txt", root / "two" / "a.txt"),
    "swapped folders": swap_folders,
    "missing folder": lambda root: shutil.rmtree(root / "two"),
    "missing manifest": lambda root: (root / "two" / "manifest.json").unlink(),
    "truncated manifest": lambda root: os.truncate(root / "two" / "manifest.json", 50),
    "deep manifest": lambda root: (root / "two" / "manifest.json").write_text("[" * 100_000),
    "manifest is a list": lambda root: (root / "two" / "manifest.json").write_text("[]"),
    "edited manifest": lambda root: edit_manifest(root, files={}),
    "manifest names a path": lambda root: edit_manifest(root, files={"../one/a.txt": {}}),
    "file is a link": link_out,
    "file is a pipe": fifo,
    "pointer missing": lambda root: ((root / "current").unlink(), flip(root / "two" / "a.txt")),
    "pointer garbage": lambda root: (
        (root / "current").write_bytes(b"\xff\0"),
        flip(root / "two" / "a.txt"),
    ),
    "pointer leads out": lambda root: (
        (root / "current").write_text('{"name": "../run/two", "manifest_sha256": ""}'),
        flip(root / "two" / "a.txt"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_damaged_current_snapshot_gives_way_to_the_previous_one_and_says_so(
    root: Path, fault: Callable[[Path], object]
) -> None:
    fault(root)
    loaded = read_snapshot(root)
    assert dict(loaded.files) == OLD
    assert "Loaded the good snapshot one instead" in loaded.warnings[0]


def test_a_lost_pointer_alone_loses_nothing(root: Path) -> None:
    (root / "current").unlink()
    assert dict(read_snapshot(root).files) == NEW


def test_a_write_after_damage_is_current_again(root: Path) -> None:
    flip(root / "two" / "a.txt")
    write_snapshot(root, "two", {"x": b"again"})
    loaded = read_snapshot(root)
    assert dict(loaded.files) == {"x": b"again"}
    assert loaded.warnings == ()


def test_if_no_snapshot_is_good_the_error_says_what_is_wrong_with_each(root: Path) -> None:
    flip(root / "one" / "a.txt")
    (root / "two" / "b.bin").unlink()
    with pytest.raises(CorruptCheckpoint, match=r"two/b\.bin.*one/a\.txt does not match"):
        read_snapshot(root)


def test_a_newer_format_is_named_and_nothing_older_is_loaded(root: Path) -> None:
    edit_manifest(root, format_version=99)
    with pytest.raises(NewerFormat, match=r"format version 99; this library reads up to 1"):
        read_snapshot(root)


def test_files_larger_than_the_cap_are_not_read(root: Path) -> None:
    with pytest.raises(CorruptCheckpoint, match="more than the cap 1000"):
        read_snapshot(root, max_bytes=1000)


def test_folders_without_snapshots_are_told_from_damaged_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a folder"):
        read_snapshot(tmp_path / "typo")
    with pytest.raises(InvalidInput, match="holds no snapshot"):
        read_snapshot(tmp_path)
    assert not has_snapshot(tmp_path)
    (tmp_path / "current").write_text("{}")
    with pytest.raises(CorruptCheckpoint, match="does not name a snapshot"):
        read_snapshot(tmp_path)
    with pytest.raises(InvalidInput, match="is a file"):
        write_snapshot(tmp_path / "current", "one", NEW)


class Killed(BaseException):
    """Stands for a process that ends here: nothing of ours runs afterwards."""


class FailingAt:
    """Wraps a function of ``os`` so that the shared count'th call of all wrapped ones fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException) -> None:
        self.calls, self.at, self.error = 0, at, error
        for name in ("fsync", "rename", "replace", "mkdir"):
            monkeypatch.setattr(os, name, self.wrap(getattr(os, name)))

    def wrap(self, function: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            self.calls += 1
            if self.calls == self.at:
                raise self.error
            return function(*args, **kwargs)

        return wrapped


def calls_of_one_write(root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as patch:
        counter = FailingAt(patch, -1, Killed())
        write_snapshot(root, "three", {"x": b"3"})
    return counter.calls


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_write_that_fails_at_any_point_changes_nothing_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    count = calls_of_one_write(prepared(tmp_path / "count"), monkeypatch)
    assert count >= 9  # mkdir, three files, two folders, rename, pointer, replace
    failed = 0
    for at in range(2, count + 1):  # the first makes root, which is there
        root = prepared(tmp_path / str(at))
        with monkeypatch.context() as patch:
            FailingAt(patch, at, error)
            with pytest.raises(type(error)) as caught:
                write_snapshot(root, "three", {"x": b"3"})
        assert getattr(caught.value, "errno", None) == getattr(error, "errno", None)
        loaded = dict(read_snapshot(root).files)
        assert loaded in (NEW, {"x": b"3"})
        assert read_snapshot(root).warnings == ()
        if loaded == NEW:
            failed += 1
            assert names(root) == {"current", "one", "two"}
    assert failed >= 8


def test_a_process_killed_at_any_point_leaves_a_good_snapshot_and_the_next_write_sweeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = calls_of_one_write(prepared(tmp_path / "count"), monkeypatch)
    left_temporaries = 0
    for at in range(2, count + 1):  # the first makes root, which is there
        root = prepared(tmp_path / str(at))
        with monkeypatch.context() as patch:
            # The dead clean nothing up.
            patch.setattr(snapshot, "_remove", lambda path: None)
            FailingAt(patch, at, Killed())
            with pytest.raises(Killed):
                write_snapshot(root, "three", {"x": b"3"})
        loaded = read_snapshot(root)
        assert dict(loaded.files) in (NEW, {"x": b"3"})
        assert loaded.warnings == ()
        left_temporaries += any(name.startswith(snapshot.TEMPORARY) for name in names(root))
        write_snapshot(root, "four", {"x": b"4"})
        assert dict(read_snapshot(root).files) == {"x": b"4"}
        assert not any(name.startswith(snapshot.TEMPORARY) for name in names(root))
    assert left_temporaries >= 5


def prepared(root: Path) -> Path:
    write_snapshot(root, "one", OLD)
    write_snapshot(root, "two", NEW)
    return root


def test_sweep_removes_temporaries_alone(root: Path) -> None:
    (root / (snapshot.TEMPORARY + "abc")).mkdir()
    (root / (snapshot.TEMPORARY + "abc") / "half").write_bytes(b"x")
    (root / (snapshot.TEMPORARY + "def")).write_bytes(b"x")
    sweep(root)
    assert names(root) == {"current", "one", "two"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 kB, where the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs"]
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, *options, disk], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_keeps_the_previous_snapshot(small_disk: Path) -> None:
    write_snapshot(small_disk, "one", OLD)
    with pytest.raises(OSError, match="could not save two") as caught:
        write_snapshot(small_disk, "two", {"large": b"x" * 300_000})
    assert caught.value.errno == errno.ENOSPC
    assert dict(read_snapshot(small_disk).files) == OLD
    assert names(small_disk) == {"current", "one"}
    write_snapshot(small_disk, "three", NEW)
    assert dict(read_snapshot(small_disk).files) == NEW


def test_a_read_only_disk_keeps_the_previous_snapshot(small_disk: Path) -> None:
    write_snapshot(small_disk, "one", OLD)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError, match="could not save two") as caught:
        write_snapshot(small_disk, "two", NEW)
    assert caught.value.errno == errno.EROFS
    assert dict(read_snapshot(small_disk).files) == OLD


WRITER = """
import sys
from pathlib import Path
from scorematching.storage.snapshot import write_snapshot
for i in range(10_000):
    write_snapshot(Path(sys.argv[1]), f"s{i}", {"i": b"%d" % i, "big": b"%d" % (i % 10) * 200_000})
    print(i, flush=True)
"""


def test_a_writer_killed_at_random_moments_never_loses_what_it_reported(tmp_path: Path) -> None:
    for delay in (0.0, 0.017):
        root = tmp_path / str(delay)
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, root], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(delay)
            writer.kill()
            reported = [0, *map(int, writer.stdout.read().split())][-1]
        loaded = read_snapshot(root)
        assert loaded.warnings == ()
        i = int(loaded.files["i"])
        assert reported <= i <= reported + 1
        assert loaded.files["big"] == b"%d" % (i % 10) * 200_000
