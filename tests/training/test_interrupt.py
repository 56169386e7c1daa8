"""Signals: the first sets a flag, the second ends the process, and handlers are put back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from scorematching.errors import ScoreMatchingError
from scorematching.training import Interrupted, Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_sets_the_flag_and_nothing_else(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.signum is None
        signal.raise_signal(number)
        assert interrupts.signum == number
    assert signal.getsignal(number) is before


def test_handlers_are_put_back_after_an_error_too() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), Interrupts():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append((signal.getsignal(signal.SIGINT), interrupts.signum))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert interrupts.signum is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_exit_status_is_128_and_the_signal() -> None:
    assert Interrupted(signal.SIGINT, "x").exit_status == 130
    assert Interrupted(signal.SIGTERM, "x").exit_status == 143
    assert issubclass(Interrupted, ScoreMatchingError)


STUBBORN = """
import time
from scorematching.training.interrupt import Interrupts
with Interrupts() as interrupts:
    print("ready", flush=True)
    while interrupts.signum is None:
        time.sleep(0.001)
    print("first", flush=True)
    try:
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
"""


def test_a_second_signal_ends_the_process_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "first\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stdout.read() == ""
