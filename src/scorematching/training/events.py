"""The records of a run for TensorBoard, which is an extra: its event files, one a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorematching.errors import InvalidInput
from scorematching.training.records import Record

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

SCALARS = {
    "loss": "training/loss",
    "gradient_norm": "training/gradient_norm",
    "learning_rate": "training/learning_rate",
    "rows_per_second": "training/rows_per_second",
    "skipped": "training/skipped",
    "validation": "validation/minus_log_density",
    "best_validation": "validation/best",
}


class EventWriter:
    """Called with one record after the other, writes each for TensorBoard.

    A call of its own, as the ``on_record`` of `fit`, or with the lines of a log that was written
    before. The first record's step takes the place of that step and all later ones in the folder,
    so that a resumed run goes on where it was.

    Parameters
    ----------
    folder
        Made if missing.
    started
        When the run started, in seconds since 1970; records come as many seconds later as they
        say. By default they come now.

    Raises
    ------
    InvalidInput
        TensorBoard is not installed.
    """

    def __init__(self, folder: Path, started: float | None = None) -> None:
        self._new = writer_class()
        self._folder, self._started = Path(folder), started
        self._writer: SummaryWriter | None = None

    def __call__(self, record: Record | Mapping[str, Any]) -> None:
        """Write the numbers of a record; those it has not, or that are not finite, are left out."""
        fields = asdict(record) if isinstance(record, Record) else record
        step = int(fields["step"])
        if self._writer is None:
            self._writer = self._new(str(self._folder), purge_step=step)
        at = time.time() if self._started is None else self._started + float(fields["seconds"])
        for name, tag in SCALARS.items():
            self._scalar(tag, fields.get(name), step, at)
        for level, loss in fields.get("level_losses") or ():
            self._scalar(f"level_loss/sigma_{level:.3g}", loss, step, at)
        event = fields.get("event")
        if event is not None:
            self._writer.add_text("event", event, step, at)

    def close(self) -> None:
        """Write out what is still held back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _scalar(self, tag: str, value: float | None, step: int, at: float) -> None:
        if value is not None and self._writer is not None:
            self._writer.add_scalar(tag, value, step, at)


@contextmanager
def event_writer(folder: Path, started: float | None = None) -> Iterator[EventWriter]:
    """An `EventWriter` that is closed at the end of the block."""
    writer = EventWriter(folder, started)
    try:
        yield writer
    finally:
        writer.close()


def writer_class() -> type[SummaryWriter]:
    """TensorBoard's writer, if it is installed; raises InvalidInput with the remedy if not."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InvalidInput(
            f"TensorBoard cannot be imported: {error}. It is an extra: "
            "pip install 'scorematching[tensorboard]'."
        ) from error
    return SummaryWriter
