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
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("mutations.toml")
SECONDS = 300  # for the tests of one mistake
PYTEST = ("-m", "pytest", "-x", "-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider")

PASSED, FAILED = 0, 1  # what pytest exits with; anything else means that tests did not run


class NotApplicable(Exception):
    """A mutation whose text is not in its file exactly once, or does not parse once replaced."""


@dataclass(frozen=True)
class Mutation:
    """A mistake: old text of one file of the package → new text, and the tests that must fail."""

    file: str
    mistake: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.mistake}"

    def applied(self, text: str) -> str:
        """The text of the file with the mistake in it.

        Raises
        ------
        NotApplicable
            The old text does not occur exactly once, or the result is no Python.
        """
        found = text.count(self.old)
        if found != 1:
            raise NotApplicable(f"{self}: expected the text once, found it {found} times")
        mutated = text.replace(self.old, self.new)
        try:
            compile(mutated, self.file, "exec")
        except SyntaxError as error:
            raise NotApplicable(f"{self}: {error}") from error
        return mutated


@dataclass(frozen=True)
class Verdict:
    """What came of a mutation: "caught", "survived" or "not run", with the test that failed."""

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


def run_tests(source: Path, tests: Sequence[str], top: Path) -> subprocess.CompletedProcess[str]:
    """Run tests of the folder top against the package under source."""
    environment = os.environ | {
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, *PYTEST, *tests],
        cwd=top,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def copy_of(top: Path, folder: str) -> Path:
    """A copy of the package's sources in a folder; the path to import it from."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    return Path(shutil.copytree(top / "src", Path(folder) / "src", ignore=ignored))


def judge(mutation: Mutation, top: Path = TOP) -> Verdict:
    """Apply a mutation to a copy and run its tests."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        source = copy_of(top, folder)
        file = source / "scorematching" / mutation.file
        try:
            file.write_text(mutation.applied(file.read_text("utf-8")), "utf-8")
            done = run_tests(source, mutation.tests, top)
        except (NotApplicable, OSError) as error:
            return Verdict(mutation, "not run", str(error), time.monotonic() - start)
        except subprocess.TimeoutExpired:
            return Verdict(mutation, "caught", f"no end in {SECONDS} s", time.monotonic() - start)
    seconds = time.monotonic() - start
    if done.returncode == PASSED:
        return Verdict(mutation, "survived", " ".join(mutation.tests), seconds)
    failed = re.search(r"^(?:FAILED|ERROR) \S*?::(\w+)", done.stdout, re.MULTILINE)
    if done.returncode == FAILED and failed:
        return Verdict(mutation, "caught", failed[1], seconds)
    last = (done.stdout + done.stderr).strip().splitlines()[-1:]
    return Verdict(mutation, "not run", f"exit status {done.returncode}: {''.join(last)}", seconds)


def baseline(mutations: Sequence[Mutation], top: Path = TOP) -> str:
    """What is wrong with the tests, or the way they are run, before any mutation; or nothing."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    with tempfile.TemporaryDirectory() as folder:
        source = copy_of(top, folder)
        where = subprocess.run(
            [sys.executable, "-c", "import scorematching as sm; print(sm.__file__)"],
            cwd=top,
            env=os.environ | {"PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        if not where.startswith(str(source)):
            return f"the package is imported from {where or 'nowhere'}, not from the copy"
        done = run_tests(source, tests, top)
    return "" if done.returncode == PASSED else f"the unchanged package fails:\n{done.stdout}"


def judged(mutations: Sequence[Mutation], jobs: int, top: Path = TOP) -> Iterator[Verdict]:
    """The verdicts, in the order of the mutations, several at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda mutation: judge(mutation, top), mutations)


def main(arguments: Sequence[str] | None = None, table: Path = TABLE, top: Path = TOP) -> int:
    """Judge the mutations and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="a word in the file or the mistake")
    parser.add_argument("--jobs", type=int, default=2, help="test processes at a time")
    options = parser.parse_args(arguments)
    mutations = [each for each in read_table(table) if options.only in str(each)]
    if not mutations:
        print(f"no mutation contains {options.only!r}")
        return 1
    if wrong := baseline(mutations, top):
        print(wrong)
        return 1
    start, verdicts = time.monotonic(), []
    for verdict in judged(mutations, options.jobs, top):
        verdicts.append(verdict)
        line = f"{verdict.result:<9}{verdict.seconds:5.1f} s  {verdict.mutation}"
        print(f"{line}\n{'':18}{verdict.detail}", flush=True)
    escaped = [verdict for verdict in verdicts if verdict.result != "caught"]
    print(
        f"{len(verdicts) - len(escaped)} of {len(verdicts)} mistakes caught "
        f"in {time.monotonic() - start:.0f} s"
    )
    for verdict in escaped:
        print(f"{verdict.result}: {verdict.mutation}")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
