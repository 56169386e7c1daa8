"""A judge of images of shapes: which class, or none. A small convolutional network.

It learns from real images and from spoiled ones (`benchmarks.shape_spoilers`), all freshly drawn;
half of the real ones carry noise of standard deviation 0.02 of white, which the eye does not see.
An image is rejected where the probability of "none" is so high as for 97% of fresh spoiled images:
two points more than is asked of it. It is held to images drawn with other seeds, and to two ways of
spoiling that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.shape_spoilers import LEARNT, UNSEEN
from scorematching.data.drawn_shapes import SHAPES, WHITE, Outlines
from scorematching.random import forked

Array = NDArray[np.float64]

NONE = len(SHAPES)
STEPS, BATCH = 900, 64
REJECTED = 0.97
THRESHOLD_ROWS = 250  # of each way
INVISIBLE = 0.02


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the judge says of n images.

    Attributes
    ----------
    accepted
        ``(n,)``, whether each is a shape.
    classes
        ``(n,)``, the most probable shape, accepted or not.
    """

    accepted: NDArray[np.bool_]
    classes: NDArray[np.int64]

    @property
    def proportions(self) -> Array:
        """Of the classes among the accepted images, ``(4,)``."""
        return np.bincount(self.classes[self.accepted], minlength=NONE) / max(
            1, self.accepted.sum()
        )

    def acceptance(self) -> Array:
        """The part of the images closest to each class that is accepted, ``(4,)``."""
        closest = np.bincount(self.classes, minlength=NONE)
        return np.bincount(self.classes[self.accepted], minlength=NONE) / np.maximum(closest, 1)


@dataclass(frozen=True, eq=False)
class Judge:
    """The network, and the probability of "none" above which an image is rejected."""

    net: nn.Module
    threshold: float

    def __call__(self, images: Array) -> Verdict:
        """Judge images ``(n, 28, 28)`` in [0, 1]."""
        logits = _logits(self.net, images)
        return Verdict(_none(logits) < self.threshold, logits[:, :NONE].argmax(1).numpy())


def total_variation(p: Array, q: Array) -> float:
    """½ Σ |pᵢ − qᵢ|."""
    return float(np.abs(np.asarray(p) - np.asarray(q)).sum() / 2)


def unit(images: Array) -> Array:
    """Grey values 0 to 255 ``(n, 1, 28, 28)`` in [0, 1], ``(n, 28, 28)``."""
    return np.asarray(images, dtype=np.float64)[:, 0] / WHITE


def network() -> nn.Sequential:
    """28 × 28 → 5 logits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2, stride=2),
        nn.SiLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.GroupNorm(8, 32),
        nn.SiLU(),
        nn.Conv2d(32, 64, 3, padding=1, stride=2),
        nn.GroupNorm(8, 64),
        nn.SiLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.GroupNorm(8, 64),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 64),
        nn.SiLU(),
        nn.Linear(64, NONE + 1),
    )


def real(n: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Shapes ``(n, 28, 28)`` of all classes in 256 greys, and their classes."""
    of = Outlines.random(rng.integers(0, NONE, n), rng)
    return np.round(WHITE * of.drawn()) / WHITE, of.classes


def spoiled(way: Callable[..., Array], n: int, rng: np.random.Generator) -> Array:
    """Shapes of all classes spoiled in one way."""
    return way(Outlines.random(rng.integers(0, NONE, n), rng), rng)


def learnt(seed: int = 0, steps: int = STEPS) -> Judge:
    """A judge from nothing: half of each batch is real, the rest spoiled in all ways alike."""
    with forked(seed, "judge"):
        net = network()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    rng = np.random.default_rng((seed, 1))
    each = BATCH // (2 * len(LEARNT))
    for _ in range(steps):
        images, classes = real(BATCH - each * len(LEARNT), rng)
        images[::2] += INVISIBLE * rng.standard_normal(images[::2].shape)
        wrong = [spoiled(way, each, rng) for way in LEARNT]
        targets = np.concatenate([classes, np.full(each * len(wrong), NONE)])
        logits = net(_tensor(np.concatenate([images, *wrong])))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(targets))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return Judge(net, threshold(net, REJECTED, seed))


def threshold(net: nn.Module, rejected: float, seed: int = 0) -> float:
    """The probability of "none" at which so many freshly spoiled images are rejected."""
    rng = np.random.default_rng((seed, 2))
    wrong = np.concatenate([spoiled(way, THRESHOLD_ROWS, rng) for way in LEARNT])
    return float(np.quantile(_none(_logits(net, wrong)), 1 - rejected))


def kept(folder: Path, seed: int = 0, steps: int = STEPS) -> Judge:
    """The judge in a folder, or a new one that is saved there."""
    path = folder / f"judge-{seed}-{steps}.safetensors"
    if path.exists():
        tensors = load_file(path)
        limit = float(tensors.pop("threshold"))
        net = network()
        net.load_state_dict(tensors)
        return Judge(net, limit)
    judge = learnt(seed, steps)
    folder.mkdir(parents=True, exist_ok=True)
    limit = torch.tensor(judge.threshold, dtype=torch.float64)
    save_file({**judge.net.state_dict(), "threshold": limit}, path)
    return judge


def held_out(judge: Judge, n: int = 1000, seed: int = 1) -> Mapping[str, float]:
    """The part accepted of n fresh real images, and rejected of n spoiled in each way."""
    rng = np.random.default_rng((seed, 2))
    found = {"accepted": float(judge(real(n, rng)[0]).accepted.mean())}
    for way in (*LEARNT, *UNSEEN):
        found[way.__name__] = float(1 - judge(spoiled(way, n, rng)).accepted.mean())
    return found


def _tensor(images: Array) -> Tensor:
    return torch.from_numpy(images[:, None].astype(np.float32))


def _logits(net: nn.Module, images: Array) -> Tensor:
    with torch.no_grad():
        return torch.cat([net(part) for part in _tensor(images).split(500)])


def _none(logits: Tensor) -> Array:
    """The probability of "none"."""
    return torch.softmax(logits, 1)[:, NONE].double().numpy()
