"""Apply each known mistake to a copy of the package, and see that a test catches it.

The mistakes are in mutations.toml beside this file. Each is put into a copy of src/ in a temporary
folder, never into the working tree, and the tests mapped to it are run against that copy. First
they are run against an unchanged copy: a test that fails anyway catches nothing.

    python scripts/mutate.py                 all of them
    python scripts/mutate.py --only noise/   those whose file or mistake contains a word

Exit status 1 if a mistake survives, its text is not found exactly once, or the tests did not run.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("mutations.toml")
SECONDS = 300  # for the tests of one mistake
OPTIONS = ("-x", "-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider")
# Loaded once, before the test processes fork: importing them takes longer than most tests.
HEAVY = (
    "pytest",
    "hypothesis",
    "scipy.integrate",
    "scipy.stats",
    "torch",
    "torch.distributed.tensor",  # torch.testing.assert_close asks for it
)

PASSED, FAILED = 0, 1  # what pytest exits with; anything else means that tests did not run
NOT_THE_COPY = 90


class NotApplicable(Exception):
    """A mutation whose text is not in its file exactly once, or does not parse once replaced."""


@dataclass(frozen=True)
class Mutation:
    """A mistake: old text of one file of the package → new text, and the tests that must fail.

    Without a file it is no mistake at all, and the tests must pass.
    """

    file: str
    mistake: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.mistake}" if self.file else "unchanged"

    def applied(self, text: str) -> str:
        """The text of the file with the mistake in it.

        Raises
        ------
        NotApplicable
            The old text does not occur exactly once, or the result is no Python.
        """
        found = text.count(self.old)
        if found != 1:
            raise NotApplicable(f"expected the text {self.old!r} once, found it {found} times")
        mutated = text.replace(self.old, self.new)
        try:
            compile(mutated, self.file, "exec")
        except SyntaxError as error:
            raise NotApplicable(f"no Python any more: {error}") from error
        return mutated


@dataclass(frozen=True)
class Verdict:
    """What came of a mutation: "caught", "survived" or "not run"; by which test, or why not."""

    mutation: Mutation
    result: str
    detail: str
    seconds: float


def read_table(path: Path = TABLE) -> list[Mutation]:
    """The mutations of a table, in its order."""
    table = tomllib.loads(path.read_text("utf-8"))
    return [
        Mutation(
            file,
            entry["mistake"],
            entry["old"],
            entry["new"],
            tuple(entry.get("tests", [mirror(file)])),
        )
        for file, entries in table.items()
        for entry in entries
    ]


def mirror(file: str) -> str:
    """The test file of a source file: noise/ve.py → tests/noise/test_ve.py."""
    path = Path(file)
    return (Path("tests") / path.parent / f"test_{path.name}").as_posix()


def run_tests(source: Path, tests: Sequence[str], top: Path, report: Path) -> None:
    """In a process of its own: run tests of the folder top against the package under source."""
    with report.open("w", encoding="utf-8") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.path.insert(0, str(source))
    os.chdir(top)
    found = importlib.util.find_spec("scorematching")
    if found is None or not str(found.origin).startswith(str(source)):
        os._exit(NOT_THE_COPY)
    pytest = importlib.import_module("pytest")
    status = pytest.main([*OPTIONS, *tests])
    sys.stdout.flush()
    os._exit(int(status))


class Trial:
    """A mutation in a copy of the package, with the process that runs its tests."""

    def __init__(self, mutation: Mutation, top: Path) -> None:
        self.mutation, self.start = mutation, time.monotonic()
        self.folder = tempfile.TemporaryDirectory()
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        source = Path(shutil.copytree(top / "src", Path(self.folder.name) / "src", ignore=ignored))
        if mutation.file:
            file = source / "scorematching" / mutation.file
            file.write_text(mutation.applied(file.read_text("utf-8")), "utf-8")
        self.report = Path(self.folder.name) / "report"
        # A fork has the heavy packages already; elsewhere it is not safe, and each loads its own.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        arguments = (source, mutation.tests, top, self.report)
        self.process = context.Process(target=run_tests, args=arguments)
        self.process.start()

    def overdue(self) -> bool:
        return time.monotonic() - self.start > SECONDS

    def verdict(self) -> Verdict:
        """What came of it, once the process has ended or is overdue, which ends it."""
        late = self.process.is_alive()
        if late:
            self.process.kill()
        self.process.join()
        text = self.report.read_text("utf-8") if self.report.exists() else ""
        self.folder.cleanup()
        seconds = time.monotonic() - self.start
        result, detail = judged(self.process.exitcode, text)
        if late:
            result, detail = "caught", f"the tests did not end in {SECONDS} s"
        return Verdict(self.mutation, result, detail, seconds)


def judged(status: int | None, report: str) -> tuple[str, str]:
    """The result and its detail, from the exit status and the output of pytest."""
    if status == PASSED:
        return "survived", "all tests pass"
    failed = re.search(r"^(?:FAILED|ERROR) \S*?::(\w+)", report, re.MULTILINE)
    if status == FAILED and failed:
        return "caught", failed[1]
    if status == NOT_THE_COPY:
        return "not run", "the package was not imported from the copy"
    return "not run", f"exit status {status}: {''.join(report.strip().splitlines()[-1:])}"


def verdicts(mutations: Sequence[Mutation], jobs: int, top: Path = TOP) -> Iterator[Verdict]:
    """Judge the mutations, several at a time, each as it comes to its end."""
    waiting, running = list(mutations), list[Trial]()
    while waiting or running:
        while waiting and len(running) < jobs:
            mutation = waiting.pop(0)
            try:
                running.append(Trial(mutation, top))
            except (NotApplicable, OSError) as error:
                yield Verdict(mutation, "not run", str(error), 0.0)
        wait([trial.process.sentinel for trial in running], timeout=1)
        for trial in list(running):
            if not trial.process.is_alive() or trial.overdue():
                running.remove(trial)
                yield trial.verdict()


def unchanged(mutations: Sequence[Mutation]) -> list[Mutation]:
    """No mistake at all, once for each set of tests: they must pass."""
    tests = dict.fromkeys(mutation.tests for mutation in mutations)
    return [Mutation("", "", "", "", each) for each in tests]


def main(
    arguments: Sequence[str] | None = None,
    table: Path = TABLE,
    top: Path = TOP,
    heavy: Sequence[str] = HEAVY,
) -> int:
    """Judge the mutations and print two lines for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="a word in the file or the mistake")
    parser.add_argument("--jobs", type=int, default=2, help="test processes at a time")
    options = parser.parse_args(arguments)
    mutations = [each for each in read_table(table) if options.only in str(each)]
    if not mutations or options.jobs < 1:
        print(f"no mutation contains {options.only!r}" if options.jobs > 0 else "--jobs is below 1")
        return 1
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    for name in heavy:
        importlib.import_module(name)
    start, escaped = time.monotonic(), list[Verdict]()
    for verdict in verdicts(unchanged(mutations), options.jobs, top):
        if verdict.result != "survived":
            tests = " ".join(verdict.mutation.tests)
            print(f"the unchanged package does not pass {tests}: {verdict.detail}")
            escaped.append(verdict)
    if escaped:
        return 1
    for verdict in verdicts(mutations, options.jobs, top):
        print(f"{verdict.result:<9}{verdict.seconds:5.1f} s  {verdict.mutation}")
        print(f"{'':18}{verdict.detail}", flush=True)
        escaped += [verdict] if verdict.result != "caught" else []
    caught, seconds = len(mutations) - len(escaped), time.monotonic() - start
    print(f"{caught} of {len(mutations)} mistakes caught in {seconds:.0f} s")
    for verdict in escaped:
        print(f"{verdict.result}: {verdict.mutation} ({verdict.detail})")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
