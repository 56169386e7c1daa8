"""How each error ends a command: its exit status and its one line."""

from __future__ import annotations

import errno
import sys
import traceback

import typer

from scorematching.errors import (
    CorruptCheckpoint,
    Diverged,
    InvalidInput,
    RunLocked,
    ScoreMatchingError,
    TrainingFailed,
)

FINE = 0
BAD_INPUT = 2
FAILED = 3
INTERRUPTED = 130  # 128 + SIGINT
TERMINATED = 143  # 128 + SIGTERM
BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell reports of a program that the pipe's end stopped

_STATUSES: tuple[tuple[type[BaseException], int], ...] = (
    (typer.TyperException, BAD_INPUT),
    (InvalidInput, BAD_INPUT),
    (RunLocked, BAD_INPUT),
    (CorruptCheckpoint, FAILED),
    (TrainingFailed, FAILED),
    (Diverged, FAILED),
    (MemoryError, FAILED),
    (BrokenPipeError, BROKEN_PIPE),
    (OSError, FAILED),
    (KeyboardInterrupt, INTERRUPTED),
)

_REMEDIES = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some of your quota",
    errno.EROFS: "Choose a folder on a disk that can be written to",
    errno.EACCES: "Choose a folder that you may write to",
}


def status_of(error: BaseException) -> int:
    """The exit status of a command that an error stops.

    2 for bad input or usage, 3 for a run that failed, 128 + the signal's number for one that was
    stopped. An error that nobody foresaw is a failed run.
    """
    own = getattr(error, "exit_status", None)  # training.Interrupted knows which signal it was
    if isinstance(own, int):
        return own
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), FAILED)


def line_of(error: BaseException) -> str:
    """What went wrong and what to do about it, on one line."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    if isinstance(error, typer.TyperException):
        return f"error: {_usage(error)}"
    if isinstance(error, ScoreMatchingError):
        prefix = "" if hasattr(error, "exit_status") else "error: "
        return prefix + _one_line(str(error))
    if _out_of_memory(error):
        return (
            f"error: out of memory: {_one_line(str(error)) or 'no more can be had'}. Use fewer "
            "rows or columns, a smaller training.batch_size or net (--config), or more memory."
        )
    if isinstance(error, OSError):
        return f"error: {_system(error)}"
    return (
        f"error: unforeseen {type(error).__name__}: {_one_line(str(error))}. This is a fault of "
        "scorematching: please report it, with what --debug prints."
    )


def ended_by(error: BaseException, *, debug: bool) -> int:
    """Tell about the error on standard error; the exit status to end with."""
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE  # whoever read the output has had enough: nobody is left to tell
    if debug:
        traceback.print_exception(error)
    print(line_of(error), file=sys.stderr)
    return status_of(error)


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "scorematching"
    message = _one_line(error.format_message())
    message = message if message.endswith((".", "?", ")")) else f"{message}."
    name = getattr(error, "option_name", "")
    if hasattr(error, "possibilities") and name[:1] == "-" != name[1:2]:  # there is no such option
        message += " A path that begins with a dash is written ./-NAME."
    return f"{message} See `{command} --help`."


def _system(error: OSError) -> str:
    remedy = _REMEDIES.get(error.errno or 0, "See to that")
    where = f": {error.filename}" if error.filename is not None else ""
    what = error.strerror or str(error) or type(error).__name__
    return _one_line(f"{what}{where}. {remedy} and run it again; what was saved before is kept.")


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch says so by a RuntimeError."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _one_line(text: str) -> str:
    return text.strip().replace("\r", "\\r").replace("\n", "\\n")
