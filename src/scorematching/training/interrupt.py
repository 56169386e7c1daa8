"""Stopping a run from outside without losing it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

from scorematching.errors import ScoreMatchingError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(ScoreMatchingError):
    """The run was stopped by a signal, after its step was finished and saved."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum

    @property
    def exit_status(self) -> int:
        """130 for SIGINT, 143 for SIGTERM: 128 + the signal's number."""
        return 128 + self.signum


class Interrupts:
    """Turns SIGINT and SIGTERM into a flag that the training loop reads after each step.

    The first signal sets `signum`. The second ends the process at once with status 128 + signum,
    running no clean-up: saving is atomic, so that nothing saved before is lost. The previous
    handlers are put back on leaving. Outside the main thread, where Python allows no handlers,
    nothing is installed and signum stays None; a signal that the parent process had ignored
    (``nohup``) stays ignored.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                previous = signal.getsignal(number)
                # None is a handler set outside Python, which could not be put back.
                if previous is not None and previous is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum = signum
            return
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(2, SHOW_CURSOR)
        os._exit(128 + signum)
