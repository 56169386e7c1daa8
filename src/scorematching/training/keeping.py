"""Where a run is kept: opened, resumed and saved by process 0, the same in all."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from scorematching.errors import InvalidInput
from scorematching.storage import has_snapshot, run_lock, sweep
from scorematching.training.batches import Batches
from scorematching.training.checkpoint import (
    FIELDS,
    TENSORS,
    load_run,
    restore_run,
    run_files,
    save_run,
)
from scorematching.training.processes import Processes
from scorematching.training.run import Run


@dataclass
class Keeper:
    """Keeps a run in a folder, or nowhere, and gives all processes the state of process 0."""

    run: Run
    batches: Batches
    folder: Path | None
    processes: Processes
    data: str = ""

    @contextmanager
    def opened(self, resume: bool) -> Iterator[str | None]:
        """Hold the folder; what the first record is to say of it.

        Raises
        ------
        InvalidInput, RunLocked, CorruptCheckpoint
            As `training.train`; or the processes have different data, settings or modules.
        """
        if self.folder is not None or not self.processes.alone:
            self.data = self.batches.digest()
        with ExitStack() as stack:
            self.processes.by_first(lambda: self._open(stack, resume))
            if not self.processes.alone:
                self._follow()
            yield f"resumed after step {self.run.counters.step}" if resume else None

    def save(self) -> bool:
        """Write a checkpoint, where there is a folder; whether there is."""
        if self.folder is not None:
            self.processes.by_first(self._save)
        return self.folder is not None

    def _open(self, stack: ExitStack, resume: bool) -> None:
        if self.folder is None:
            return
        stack.enter_context(run_lock(self.folder))
        sweep(self.folder)
        if resume:
            for text in load_run(self.run, self.folder, self.data):
                warnings.warn(text, RuntimeWarning, stacklevel=6)
        elif has_snapshot(self.folder):
            raise InvalidInput(
                f"{self.folder} already holds a run: resume it, or choose another folder."
            )

    def _save(self) -> None:
        if self.folder is not None:
            save_run(self.run, self.folder, self.data)

    def _follow(self) -> None:
        """Take over the state of process 0, its initial weights included."""
        state = self.run.module.state_dict()
        shapes = {name: [list(each.shape), str(each.dtype)] for name, each in state.items()}
        same = json.dumps([asdict(self.run.settings), self.data, shapes], sort_keys=True)
        self.processes.check_same(
            hashlib.sha256(same.encode()).digest(), "data, settings or networks"
        )
        files = run_files(self.run, self.data)
        received = {name: self.processes.of_first(files[name]) for name in (TENSORS, FIELDS)}
        if not self.processes.first:
            restore_run(self.run, received, Path("process 0"), self.data)
