"""The progress bar: on a terminal only, on standard error only, and it passes records on."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from scorematching.training import Record, shown
from scorematching.training.progress import state_of

RECORDS = [Record(step, 3, 1.25, 0.5, 1e-3, 5000.0, 2.0) for step in (1, 2, 3)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_shows_steps_loss_and_rate_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    assert list(shown(RECORDS)) == RECORDS
    for part in ("3/3", "loss 1.25", "5,000 rows/s", "left"):
        assert part in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_it_is_silent_if_quiet_or_not_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    stream = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(shown(RECORDS, quiet=quiet)) == RECORDS
    assert stream.getvalue() == ""


def test_silent_runs_do_not_import_rich() -> None:
    code = (
        "import sys\nfrom scorematching.training import shown\nlist(shown([]))\n"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE).returncode == 0


def test_the_state_names_validation_and_skipped_batches_where_there_are_any() -> None:
    record = Record(1, 3, 0.5, 1.0, 1e-3, 10.0, 1.0, best_validation=-2.0, skipped=4)
    assert state_of(record) == "loss 0.5, best validation -2, 10 rows/s, 4 skipped"
