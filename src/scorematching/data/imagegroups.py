"""A folder of images, so many at a time, as the groups of a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scorematching.data.dataset import Dataset
from scorematching.data.images import CHANNELS, aside_notes, class_of, decoded, opened
from scorematching.data.labels import encode_like, label_of
from scorematching.data.origin import Origin, fault
from scorematching.data.schema import ImageSchema, LabelSchema, Layout
from scorematching.data.streams import GROUP_BYTES, MAX_GROUP_BYTES, NOT_LOOKED_FOR, Stream, Survey


@dataclass(frozen=True)
class ImageGroups:
    """PNG or JPEG files of one size and mode, in groups.

    Attributes
    ----------
    folder
        That they lie in.
    files
        All of them, in the order of their paths.
    sizes
        The number of images of each group.
    header
        Size (width, height) and mode of the first, which all must have.
    label
        A name for the classes, which are the names of the subfolders; None for none.
    """

    folder: Path
    files: tuple[Path, ...]
    sizes: tuple[int, ...]
    header: tuple[tuple[int, int], str]
    label: str | None = None

    @property
    def name(self) -> str:
        """What messages call them."""
        return str(self.folder)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        (width, height), mode = self.header
        return CHANNELS[mode], height, width

    @property
    def decoded_bytes(self) -> int:
        """What all images would take in memory as float64."""
        return 8 * len(self.files) * math.prod(self.shape)

    @classmethod
    def of(cls, folder: Path, files: Sequence[Path], label: str | None) -> ImageGroups:
        """Those of files; only the first one's header is read.

        Raises
        ------
        DataError
            It is no image, or too large to hold.
        """
        header = opened(files[0])
        size = 8 * CHANNELS[header[1]] * math.prod(header[0])
        if size > MAX_GROUP_BYTES:
            raise fault(files[0], f"an image is larger than {MAX_GROUP_BYTES:,} bytes.")
        step = max(1, GROUP_BYTES // size)
        sizes = (min(step, len(files) - first) for first in range(0, len(files), step))
        return cls(folder, tuple(files), tuple(sizes), header, label)

    def read(self, group: int, schema: ImageSchema) -> Dataset:
        """The images of a group, checked against the first one's header."""
        labels = None
        if schema.label is not None:
            names = [class_of(file, self.folder) for file in self._files(group)]
            labels = encode_like(schema.label, names, Origin(self.name))
        return Dataset(self._pixels(group), schema, labels)

    def surveyed(self) -> Stream:
        """The stream, after one pass over all images.

        Raises
        ------
        DataError
            As `read_images`, but for repeated images.
        """
        survey, origin = Survey(), Origin(self.name)
        for group in range(len(self.sizes)):
            survey.add(self._pixels(group))
            if self.label is not None:
                names = [class_of(file, self.folder) for file in self._files(group)]
                survey.add_labels(self.label, names, origin)
        if survey.n < 2:
            raise origin.error(f"{survey.n} images: a density needs two or more.")
        notes = [NOT_LOOKED_FOR, *aside_notes(self.folder, list(self.files), self.label)]
        classes: LabelSchema | None = None
        counts = None
        if self.label is not None:
            classes, more = label_of(self.label, survey.counts, origin)
            notes += more
            counts = tuple(survey.counts[each] for each in classes.classes)
        layout = Layout.NO_CHANNEL if self.shape[0] == 1 else Layout.CHANNELS_LAST
        schema = ImageSchema(self.shape, label=classes, layout=layout)
        return Stream(self, schema, counts, survey.digest(), tuple(notes))

    def _files(self, group: int) -> tuple[Path, ...]:
        first = group * self.sizes[0]
        return self.files[first : first + self.sizes[group]]

    def _pixels(self, group: int) -> NDArray[np.float64]:
        pixels = np.empty((self.sizes[group], *self.shape), dtype=np.float64)
        for row, file in enumerate(self._files(group)):
            pixels[row] = decoded(file, self.files[0], self.header)
        return pixels
