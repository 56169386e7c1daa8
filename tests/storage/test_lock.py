"""One live process a folder; a dead one never blocks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scorematching.errors import InvalidInput, RunLocked
from scorematching.storage import run_lock

HOLDER = """
import sys
from pathlib import Path
from scorematching.storage import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_the_first_ones_process_id(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunLocked, match=f"in use by process {holder.pid} on "):
            run_lock(tmp_path).__enter__()
        holder.kill()
        holder.wait()
        # Killed, it left its file with its process id behind, and blocks nobody.
        assert str(holder.pid) in (tmp_path / ".lock").read_text()
        with run_lock(tmp_path):
            assert str(os.getpid()) in (tmp_path / ".lock").read_text()


def test_the_same_process_is_refused_too_until_the_block_ends(tmp_path: Path) -> None:
    with run_lock(tmp_path / "a b"):
        with pytest.raises(RunLocked, match=str(os.getpid())):
            run_lock(tmp_path / "a b").__enter__()
        with run_lock(tmp_path / "other"):
            pass
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "a b"):
        raise ZeroDivisionError
    with run_lock(tmp_path / "a b"):
        pass


def test_a_longer_old_lock_file_does_not_shine_through(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("x" * 1000)
    with run_lock(tmp_path):
        assert "x" not in (tmp_path / ".lock").read_text().removesuffix("\n").split(" on ")[0]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InvalidInput, match="taken is a file"):
        run_lock(tmp_path / "taken").__enter__()
    with pytest.raises(InvalidInput, match="cannot write to the folder"):
        run_lock(tmp_path / "taken" / "below").__enter__()


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InvalidInput, match=r"Read-only file system\. Choose another"):
        run_lock(tmp_path).__enter__()
