"""From a data set to the rows a network is trained and validated on."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scorematching.data import Dataset
from scorematching.data.transform import dequantise
from scorematching.random import seeded


def hold_out(data: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """A random split into rows to train on and a fraction of rows to validate by, one at least.

    With a fraction of 0 there are none of the latter. Every class keeps a row to train on.
    """
    if fraction == 0:
        return data, None
    order = torch.randperm(data.n, generator=seeded(seed, "validation split")).numpy()
    if data.labels is not None:
        first = np.unique(data.labels[order], return_index=True)[1]
        order = np.concatenate([np.delete(order, first), order[first]])
    count = max(1, int(data.n * fraction))
    return subset(data, order[count:]), subset(data, order[:count])


def at_most(data: Dataset, n: int, seed: int) -> Dataset:
    """n random rows, or all of them where there are no more."""
    if data.n <= n:
        return data
    return subset(data, torch.randperm(data.n, generator=seeded(seed, "few rows"))[:n].numpy())


def subset(data: Dataset, index: NDArray[np.int64]) -> Dataset:
    """The rows of the given numbers."""
    labels = None if data.labels is None else data.labels[index]
    condition = None if data.condition is None else data.condition[index]
    return dataclasses.replace(data, values=data.values[index], labels=labels, condition=condition)


def dequantised(data: Dataset, seed: int, *, enabled: bool = True) -> Tensor:
    """The values in float64, whole numbers spread over their unit intervals if enabled."""
    values = torch.from_numpy(data.values)
    if not enabled:
        return values
    return dequantise(values, data.schema, seeded(seed, "dequantise", data.n))


def class_frequencies(data: Dataset) -> tuple[float, ...] | None:
    """The share of each class among the rows, or None without labels."""
    if data.labels is None or data.schema.label is None:
        return None
    counts = np.bincount(data.labels, minlength=len(data.schema.label.classes))
    return tuple((counts / counts.sum()).tolist())


def absent_classes(data: Dataset) -> tuple[str, ...]:
    """A note on classes that no row has: nothing is learnt of them."""
    frequencies = class_frequencies(data)
    if frequencies is None or data.schema.label is None:
        return ()
    absent = [c for c, p in zip(data.schema.label.classes, frequencies, strict=True) if p == 0]
    listing = f"{', '.join(absent[:12])}{', …' if len(absent) > 12 else ''}"
    return (f"no row is of the classes {listing}: nothing is learnt of them.",) if absent else ()
