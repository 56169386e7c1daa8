"""A command in this process, and runs small enough to fit in a second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.calls import DECLARED, STEPS, TINY, TINY_IMAGES, Call, Cli, csv_text, rows
from scorematching.cli import training
from scorematching.cli.main import main


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs one command."""

    def call(*arguments: object) -> Call:
        capsys.readouterr()
        status = main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Call(status, captured.out, captured.err)

    return call


@pytest.fixture
def page() -> None:
    """Ask for this to have `fit` write its report, which takes it a second or two."""


@pytest.fixture(autouse=True)
def unreported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fit` writes no report, but for tests that ask for it."""
    if "page" not in request.fixturenames:
        monkeypatch.setattr(training, "reported", lambda *_: None)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a network that trains in milliseconds."""
    path = tmp_path_factory.mktemp("config") / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


@pytest.fixture(scope="session")
def tiny_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for images."""
    path = tmp_path_factory.mktemp("config") / "tiny-images.json"
    path.write_text(json.dumps(TINY_IMAGES))
    return path


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file of 80 `rows`."""
    path = tmp_path_factory.mktemp("data") / "table.csv"
    path.write_text(csv_text(rows()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, table: Path, tiny: Path) -> Path:
    """A finished run on `table`."""
    folder = tmp_path_factory.mktemp("runs") / "table"
    arguments = ["fit", table, "--out", folder, "--config", tiny, "--max-steps", STEPS, *DECLARED]
    assert main([str(each) for each in (*arguments, "--no-report", "--quiet")]) == 0
    return folder
