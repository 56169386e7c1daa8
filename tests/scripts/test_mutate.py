"""The table of known mistakes is current, and the script tells caught from survived."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from scripts.mutate import Mutation, NotApplicable, judged, mirror, read_table

from scripts import mutate

TOP = Path(__file__).resolve().parents[2]
SOURCE = TOP / "src" / "scorematching"
TABLE = read_table()

# What RELIABILITY.md asks for, as the mistakes are named in the table.
REQUIRED = {
    "a missing √2",
    "σ for σ²",
    "a sign",
    "a missing ½",
    "a dropped divergence term",
    "an off-by-one time grid",
    "g² for g²/2 in the flow",
    "averaged weights ignored",
    "the log-Jacobian of standardisation forgotten",
    "the mean over probes forgotten",
    "sphere probes of unit length",
    "λ wrong",
}


@pytest.mark.parametrize("mutation", TABLE, ids=str)
def test_the_text_of_each_mistake_is_in_its_file_once(mutation: Mutation) -> None:
    text = (SOURCE / mutation.file).read_text("utf-8")
    assert mutation.applied(text) != text


def test_the_tests_of_each_mistake_exist() -> None:
    files = {test.partition("::")[0] for mutation in TABLE for test in mutation.tests}
    assert [file for file in sorted(files) if not (TOP / file).is_file()] == []


def test_no_mistake_is_in_the_table_twice() -> None:
    assert len({str(mutation) for mutation in TABLE}) == len(TABLE)
    assert len({(each.file, each.old, each.new) for each in TABLE}) == len(TABLE)


def test_every_kind_of_mistake_that_is_asked_for_is_in_the_table() -> None:
    named = [mutation.mistake for mutation in TABLE]
    assert [kind for kind in REQUIRED if not any(kind in mistake for mistake in named)] == []
    assert len(TABLE) >= 40


def test_a_test_file_mirrors_its_source_file() -> None:
    assert mirror("calculus.py") == "tests/test_calculus.py"
    assert mirror("noise/ve.py") == "tests/noise/test_ve.py"


# --------------------------------------------------------------------------------- applying one

MUTATION = Mutation("one.py", "a sign", "return x", "return -x", ("tests/test_one.py",))


def test_a_mistake_replaces_its_text() -> None:
    assert MUTATION.applied("def f(x):\n    return x\n") == "def f(x):\n    return -x\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def f(x):\n    return y\n", "found it 0 times"),
        ("def f(x):\n    return x\ndef g(x):\n    return x\n", "found it 2 times"),
        ("def f(x:\n    return x\n", "no Python any more"),
    ],
)
def test_a_text_that_is_missing_ambiguous_or_no_python_is_an_error(
    text: str, complaint: str
) -> None:
    with pytest.raises(NotApplicable, match=complaint):
        MUTATION.applied(text)


@pytest.mark.parametrize(
    ("status", "report", "result", "detail"),
    [
        (0, "3 passed", "survived", "all tests pass"),
        (1, "F\nFAILED tests/a/test_b.py::test_c[1] - assert", "caught", "test_c"),
        (1, "E\nERROR tests/test_b.py::test_c - fixture", "caught", "test_c"),
        (1, "no summary", "not run", "exit status 1: no summary"),
        (2, "ERROR tests/test_b.py\n1 error in 0.1s", "not run", "exit status 2: 1 error in 0.1s"),
        (4, "ERROR: file not found", "not run", "exit status 4: ERROR: file not found"),
        (5, "no tests ran", "not run", "exit status 5: no tests ran"),
        (mutate.NOT_THE_COPY, "", "not run", "the package was not imported from the copy"),
        (-9, "", "not run", "exit status -9: "),
    ],
)
def test_only_a_failing_test_catches(status: int, report: str, result: str, detail: str) -> None:
    assert judged(status, report) == (result, detail)


# ------------------------------------------------------------------------------------ a small tree

CODE = "def double(x):\n    return 2 * x\n\n\ndef shift(x):\n    return x + 1\n"
TESTS = "from scorematching.one import double\n\n\ndef test_double():\n    assert double(3) == 6\n"
ENTRY = '[["one.py"]]\nmistake = "{}"\nold = "{}"\nnew = "{}"\n'


def run(tmp_path: Path, *mistakes: tuple[str, str, str], tests: str = TESTS) -> tuple[int, str]:
    """The script on a package of two functions, one of them tested: exit status and output."""
    package = tmp_path / "src" / "scorematching"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text(CODE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(tests)
    table = tmp_path / "table.toml"
    table.write_text("".join(ENTRY.format(*mistake) for mistake in mistakes))
    call = (
        "import sys; from pathlib import Path; from scripts.mutate import main; "
        "sys.exit(main(['--jobs', '1'], Path('table.toml').resolve(), Path.cwd(), ()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TOP)!r}); {call}"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (package / "one.py").read_text() == CODE  # the tree itself is never touched
    return done.returncode, done.stdout + done.stderr


def test_a_mistake_that_a_test_notices_is_caught(tmp_path: Path) -> None:
    status, output = run(tmp_path, ("three for two", "2 * x", "3 * x"))
    assert "caught" in output
    assert "test_double" in output
    assert "1 of 1 mistakes caught" in output
    assert status == 0


def test_a_mistake_that_no_test_notices_survives(tmp_path: Path) -> None:
    status, output = run(
        tmp_path, ("three for two", "2 * x", "3 * x"), ("a dropped term", "x + 1", "x")
    )
    assert "1 of 2 mistakes caught" in output
    assert "survived: one.py: a dropped term" in output
    assert status == 1


def test_a_text_that_is_gone_fails_the_script(tmp_path: Path) -> None:
    status, output = run(tmp_path, ("gone", "4 * x", "3 * x"))
    assert "not run: one.py: gone" in output
    assert status == 1


def test_a_test_that_fails_anyway_catches_nothing(tmp_path: Path) -> None:
    wrong = TESTS.replace("== 6", "== 7")
    status, output = run(tmp_path, ("three for two", "2 * x", "3 * x"), tests=wrong)
    assert "unchanged package does not pass tests/test_one.py: test_double" in output
    assert status == 1


def test_a_word_that_no_mistake_contains_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutate.main(["--only", "no such mistake"]) == 1
    assert "no mutation contains 'no such mistake'" in capsys.readouterr().out


def test_a_test_run_without_end_is_caught_and_ended(tmp_path: Path) -> None:
    """A mistake may turn a loop into an endless one."""
    trial = object.__new__(mutate.Trial)  # one whose process sleeps instead of testing
    trial.mutation, trial.start, trial.report = MUTATION, -mutate.SECONDS, tmp_path / "report"
    trial.folder = tempfile.TemporaryDirectory()
    trial.process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    trial.process.start()
    assert trial.overdue()
    verdict = trial.verdict()
    assert (verdict.result, verdict.detail) == ("caught", "the tests did not end in 300 s")
    assert not trial.process.is_alive()
