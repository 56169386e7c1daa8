"""``scorematching``: the commands together, and how each call of them ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn, TextIO

import typer
from typer.main import get_command

from scorematching import __version__
from scorematching.cli import (
    demo,
    denoise,
    estimate,
    fit,
    loglik,
    noise,
    report,
    sample,
    tensorboard,
)
from scorematching.cli.session import Session
from scorematching.cli.status import BAD_INPUT, BROKEN_PIPE, FINE, TERMINATED, ended_by

HELP = {"help_option_names": ["-h", "--help"]}
EPILOG = (
    "Exit status: 0 fine, 2 bad input or usage, 3 the run failed, 130 or 143 interrupted.\n\n"
    "Example: scorematching fit builtin:wine --out runs/wine\n\n"
    "Example: scorematching sample runs/wine -n 1000 --out samples.csv"
)

app = typer.Typer(
    name="scorematching",
    invoke_without_command=True,
    add_completion=False,
    context_settings=HELP,
    epilog=EPILOG,
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        print(f"scorematching {__version__}")
        raise typer.Exit


@app.callback()
def _every(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Learn the score ∇ log p from a table or from images, and use it."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(BAD_INPUT)


app.command("fit", epilog=fit.EPILOG)(fit.fit)
app.command("sample", epilog=sample.EPILOG)(sample.sample)
app.command("loglik", epilog=loglik.EPILOG)(loglik.loglik)
app.command("denoise", epilog=denoise.EPILOG)(denoise.denoise)
app.command("report", epilog=report.EPILOG)(report.report)
app.command("tensorboard", epilog=tensorboard.EPILOG)(tensorboard.tensorboard)
app.command("estimate", epilog=estimate.EPILOG)(estimate.estimate)
app.command("noise", epilog=noise.EPILOG)(noise.noise)
app.command("demo", epilog=demo.EPILOG)(demo.demo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status, see `status`."""
    session = Session()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _terminated():
            command = get_command(app)
            with command.make_context("scorematching", given, obj=session) as context:
                command.invoke(context)
            sys.stdout.flush()
    except typer.Exit as done:
        return _flushed(done.exit_code)
    except SystemExit as done:
        if isinstance(done.__context__, BrokenPipeError):  # rich, which prints the help, says so
            _let_go()
            return BROKEN_PIPE
        return done.code if isinstance(done.code, int) else FINE
    except BaseException as error:
        try:
            status = ended_by(error, debug=session.debug)
        except BrokenPipeError:
            status = BROKEN_PIPE
        if status == BROKEN_PIPE:
            _let_go()
        return status
    return FINE


def _flushed(status: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go()
        return BROKEN_PIPE
    return status


def _let_go() -> None:
    """Point the standard streams at nothing, so that flushing them at exit cannot fail."""
    streams: tuple[TextIO, ...] = (sys.stdout, sys.stderr)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nothing, stream.fileno())
    os.close(nothing)


@contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM unwinds the command, which deletes its temporaries, and ends it with status 143."""

    def stop(signum: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(TERMINATED)

    previous = signal.getsignal(signal.SIGTERM)
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or previous is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
