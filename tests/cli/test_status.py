from __future__ import annotations

import errno
import os

import pytest
import torch
import typer

from scorematching.cli.status import line_of, status_of
from scorematching.errors import (
    CorruptCheckpoint,
    DataError,
    Diverged,
    InvalidInput,
    RunLocked,
    ScoreMatchingError,
    TrainingFailed,
)
from scorematching.training import Interrupted


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), 2),
        (DataError("x"), 2),
        (RunLocked("x"), 2),
        (typer.BadParameter("x"), 2),
        (CorruptCheckpoint("x"), 3),
        (TrainingFailed("x"), 3),
        (Diverged("x"), 3),
        (MemoryError(), 3),
        (OSError(errno.ENOSPC, "full"), 3),
        (PermissionError(errno.EACCES, "no"), 3),
        (BrokenPipeError(), 141),
        (KeyboardInterrupt(), 130),
        (Interrupted(2, "x"), 130),
        (Interrupted(15, "x"), 143),
        (RuntimeError("x"), 3),
    ],
)
def test_every_error_has_its_status(error: BaseException, status: int) -> None:
    assert status_of(error) == status


def test_every_error_of_the_library_is_bad_input_or_a_failed_run() -> None:
    def kinds(kind: type[Exception]) -> set[type[Exception]]:
        return {kind}.union(*map(kinds, kind.__subclasses__()))

    for kind in kinds(ScoreMatchingError) - {ScoreMatchingError, Interrupted}:
        assert status_of(kind.__new__(kind)) in (2, 3)


def test_lines_have_no_line_breaks_of_their_own() -> None:
    assert line_of(InvalidInput("a\nb\rc")) == "error: a\\nb\\rc"


def test_a_full_disk_names_the_file_and_the_remedy() -> None:
    line = line_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y.csv"))
    assert line.startswith("error: No space left on device: /x/y.csv. Free some space")
    assert "kept" in line


def test_memory_that_runs_out_is_said_in_plain_words_however_torch_puts_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**62, dtype=torch.uint8)
    for error in (caught.value, MemoryError()):
        assert line_of(error).startswith("error: out of memory")
        assert status_of(error) == 3


def test_an_interruption_is_no_error() -> None:
    assert line_of(Interrupted(2, "stopped by signal 2.")) == "stopped by signal 2."
