"""Folders of runs: whether they can be written to, and the model in them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorematching.errors import InvalidInput

if TYPE_CHECKING:
    import torch

    from scorematching.fitted import FittedScore

CHECKPOINTS = "checkpoints"
MODEL = "model"
LOG = "log.jsonl"


def state_of(run: Path) -> tuple[bool, bool]:
    """Whether a folder holds checkpoints, and whether it holds a finished model."""
    from scorematching.storage import has_snapshot

    return has_snapshot(run / CHECKPOINTS), has_snapshot(run / MODEL)


def check_new(run: Path) -> None:
    """Raise InvalidInput if a folder already holds a run."""
    started, finished = state_of(run)
    if finished:
        raise InvalidInput(f"{run} already holds a finished run. Choose another --out.")
    if started:
        raise InvalidInput(
            f"{run} already holds a run that was stopped. Go on with it by --resume, or choose "
            "another --out."
        )


def loaded(run: Path, device: str) -> FittedScore:
    """The model of a run, on a device, giving samples back as a Dataset.

    Raises
    ------
    InvalidInput
        There is none, or the run was stopped before its end; or the device cannot be used.
    CorruptCheckpoint
        The files are damaged.
    """
    from scorematching.fitted import load
    from scorematching.forms import Form

    where = torch_device(device)
    started, finished = state_of(run)
    if not finished:
        if started:
            raise InvalidInput(
                f"the run in {run} was stopped before its end. Finish it first: "
                f"{command_line('fit', 'DATA', '--out', str(run), '--resume')}."
            )
        there = "holds no fitted model" if run.exists() else "does not exist"
        raise InvalidInput(f"{run} {there}. Give the folder that was --out of `scorematching fit`.")
    model = load(run)
    return replace(model, denoiser=model.denoiser.to(where), form=Form.DATASET)


def torch_device(name: str) -> torch.device:
    """A device of torch that can be used here.

    Raises
    ------
    InvalidInput
        The name means none, or there is no such device.
    """
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cards = torch.cuda.device_count()
        cuda = f"cuda:0 to cuda:{cards - 1}" if cards else "no cuda: torch finds no card"
        raise InvalidInput(
            f"--device {name!r} cannot be used here: there is cpu, and {cuda}."
        ) from error
    return device


def command_line(*words: str) -> str:
    """A command of ours to be run next, quoted for a shell."""
    return shell_line("scorematching", *words)


def shell_line(*words: str) -> str:
    """A command quoted for a shell."""
    return shlex.join(words)


@contextmanager
def held(run: Path, *, dry_run: bool) -> Iterator[None]:
    """Hold the folder of a run for this process alone; one made for nothing is removed again.

    Raises
    ------
    RunLocked
        A live process holds it; the message names it.
    InvalidInput
        It is a file, or cannot be made or written to.
    """
    from scorematching.storage import run_lock
    from scorematching.storage.lock import LOCK

    if dry_run:
        _check_could_be_made(run)
        yield
        return
    made = not run.exists()
    with run_lock(run):
        try:
            yield
        finally:
            if made and [each.name for each in run.iterdir()] == [LOCK]:
                (run / LOCK).unlink()
                run.rmdir()


def _check_could_be_made(run: Path) -> None:
    """Raise InvalidInput if `run_lock` could not make or use the folder, without making it."""
    there = next(each for each in (run.absolute(), *run.absolute().parents) if each.exists())
    if not there.is_dir():
        raise InvalidInput(f"{there} is a file: expected a folder, or a path not yet taken.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidInput(f"{there}: the folder is read-only for you. Choose another --out.")


def last_record(run: Path) -> Mapping[str, Any]:
    """The last step in the log of a run, with the fields of `training.Record`; else nothing."""
    try:
        record = json.loads((run / LOG).read_bytes().splitlines()[-1])
    except (OSError, ValueError, IndexError):  # the log is for people to read, and theirs to remove
        return {}
    return record if isinstance(record, dict) else {}
