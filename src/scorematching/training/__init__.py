"""Training: one loop that is a generator of records, and what it is made of."""

from scorematching.training.averaging import averaged_copy
from scorematching.training.interrupt import Interrupted, Interrupts
from scorematching.training.log import logged
from scorematching.training.loop import train
from scorematching.training.precision import Precision
from scorematching.training.processes import Processes, joined
from scorematching.training.progress import shown
from scorematching.training.records import Record
from scorematching.training.schedule import warmup_cosine
from scorematching.training.settings import TrainingSettings
from scorematching.training.streamed import RowGroups

__all__ = [
    "Interrupted",
    "Interrupts",
    "Precision",
    "Processes",
    "Record",
    "RowGroups",
    "TrainingSettings",
    "averaged_copy",
    "joined",
    "logged",
    "shown",
    "train",
    "warmup_cosine",
]
