from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.calls import Cli
from scorematching import __version__
from scorematching.cli import main as module
from scorematching.cli.main import main

COMMANDS = (
    "fit",
    "estimate",
    "sample",
    "loglik",
    "denoise",
    "report",
    "tensorboard",
    "noise",
    "demo",
)
SCRIPT = [sys.executable, "-m", "scorematching"]


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version") == (call := cli("--version"))
    assert (call.status, call.out, call.err) == (0, f"scorematching {__version__}\n", "")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_groups_options_and_ends_with_two_examples(cli: Cli, command: Sequence[str]) -> None:
    for option in ("--help", "-h"):
        call = cli(*command, option)
        assert call.status == 0
        assert call.err == ""
    assert call.out.count("Example: scorematching ") >= 2
    if command:
        assert "─ Output ─" in call.out
        assert "Keys of --json" in call.out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_the_help_are_commands_that_parse(command: str) -> None:
    app = module.get_command(module.app)
    epilog = app.commands[command].epilog  # type: ignore[attr-defined]
    examples = [each for each in epilog.split("\n\n") if each.startswith("Example: ")]
    assert len(examples) >= 2
    for example in examples:
        words = example.removeprefix("Example: ").split()
        assert words[0] == "scorematching"
        sub = app.commands[words[1]]  # type: ignore[attr-defined]
        assert sub.make_context(words[1], words[2:], obj=module.Session()).params


def test_no_command_prints_the_help_and_is_bad_usage(cli: Cli) -> None:
    call = cli()
    assert call.status == 2
    assert "Usage: scorematching" in call.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fot",), ["'fot'", "'fit'"]),
        (("fit",), ["'DATA'", "scorematching fit --help"]),
        (("fit", "x.csv"), ["'--out'"]),
        (("sample", "run", "--out", "x", "-n", "many"), ["'-n'", "integer"]),
        (("loglik", "run"), ["'DATA'"]),
        (("loglik", "run", "x", "y", "--out", "z"), ["(y)"]),
        (("demo", "--quit"), ["--quit", "--quiet"]),
        (("fit", "-rows.csv", "--out", "run"), ["A path that begins with a dash is written ./-"]),
    ],
)
def test_bad_usage_is_one_line_with_a_remedy(
    cli: Cli, arguments: tuple[str, ...], words: list[str]
) -> None:
    call = cli(*arguments)
    assert call.status == 2
    assert call.out == ""
    assert len(call.err.splitlines()) == 1
    assert call.err.startswith("error: ")
    for word in [*words, "--help"]:
        assert word in call.err


def test_a_traceback_is_shown_for_debugging_alone(cli: Cli, tmp_path: Path) -> None:
    arguments = ("fit", tmp_path / "none.csv", "--out", tmp_path / "run")
    plain = cli(*arguments)
    assert len(plain.err.splitlines()) == 1
    debugged = cli(*arguments, "--debug")
    assert "Traceback" in debugged.err
    assert debugged.error == plain.error
    assert plain.status == debugged.status == 2


def test_a_fault_of_ours_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("scorematching.cli.demo._folder", fail)
    call = cli("demo")
    assert call.status == 3
    assert len(call.err.splitlines()) == 1
    assert "ZeroDivisionError: one\\ntwo" in call.err
    assert "--debug" in call.err


def test_ctrl_c_ends_a_command_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "scorematching.cli.demo._folder", lambda *_: signal.raise_signal(signal.SIGINT)
    )
    call = cli("demo")
    assert call.status == 130
    assert len(call.err.splitlines()) == 1


def test_sigterm_unwinds_a_command_and_ends_it_with_143(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwound: list[bool] = []

    def stop(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            unwound.append(True)

    monkeypatch.setattr("scorematching.cli.demo._folder", stop)
    before = signal.getsignal(signal.SIGTERM)
    assert cli("demo").status == 143
    assert unwound
    assert signal.getsignal(signal.SIGTERM) is before


def test_commands_run_outside_the_main_thread(capsys: pytest.CaptureFixture[str]) -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(main(["--version"])))
    thread.start()
    thread.join()
    assert statuses == [0]


@pytest.mark.parametrize("arguments", [["--version"], ["fit", "--help"]])
def test_a_closed_pipe_ends_a_command_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [*SCRIPT, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert result.returncode == 141, result.stderr
    assert result.stderr == ""


def test_the_module_and_the_script_are_the_same_command() -> None:
    result = subprocess.run([*SCRIPT, "fot"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: No such command 'fot'")
