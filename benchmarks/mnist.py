"""MNIST, 10,000 images, no labels: are the samples digits, as good as fresh ones, and new?

Question: what does `sm.fit` reach within an hour of one core, in settings that it chose but for the
number of steps? It trains on 8,000 images; the other 2,000 are kept for the measure alone. That is
the Fréchet distance in the 64 last features of a small classifier, trained here on the same 8,000,
in units where their total variance is 100. The floor is that of as many training images, drawn
without and with replacement: samples cannot do better than the rows that they were learned from,
and independent draws from those do no better than the bootstrap. Beside the distance stands how
near the samples are to the training images, which copies would be nearest to.

    python -m benchmarks.mnist [--steps 2200] [--picture docs/images/mnist.png]

A run that was stopped goes on from its last checkpoint, in .bench/mnist.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

import scorematching as sm
from benchmarks.protocols.digits import Array, Images, frechet_distance, nearest_distance
from benchmarks.protocols.paths import CACHE, SHARED
from benchmarks.tables import markdown
from benchmarks.timing import one_thread
from scorematching.data.atomic import new_file
from scorematching.random import forked, seeded

HELD_OUT = 2000
SAMPLES = 1000
STEPS = 2200
EPOCHS = 8
DRAWS = 10  # of the floors
TOTAL_VARIANCE = 100.0
SIDE, GAP = 28, 2

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Digits:
    """Images (n, 28, 28) of grey values 0 to 255 and their classes, for training and held out."""

    train: Pixels
    train_labels: Pixels
    held_out: Pixels
    held_out_labels: Pixels


def split() -> Digits:
    """8,000 training and 2,000 held-out images, drawn at random, each part in the file's order."""
    with np.load(SHARED / "data" / "mnist_10k.npz", allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    order = np.random.default_rng(0).permutation(len(x))
    held_out, train = np.sort(order[:HELD_OUT]), np.sort(order[HELD_OUT:])
    return Digits(x[train], y[train], x[held_out], y[held_out])


@dataclass(frozen=True)
class Judge:
    """The classifier: 64 features, scaled to a total training variance of 100, and its accuracy."""

    body: nn.Sequential
    head: nn.Linear
    scale: float
    accuracy: float

    @torch.no_grad()
    def features(self, images: Pixels) -> Array:
        """(n, 64) in float64."""
        found = [
            self.body(_inputs(part)) for part in np.array_split(images, -(-len(images) // 500))
        ]
        return torch.cat(found).double().numpy() * self.scale

    @torch.no_grad()
    def classes(self, images: Pixels) -> NDArray[np.int64]:
        """The most likely class of each image."""
        features = torch.from_numpy(self.features(images) / self.scale).float()
        chosen: NDArray[np.int64] = self.head(features).argmax(1).numpy()
        return chosen


def _inputs(images: Pixels) -> Tensor:
    return torch.from_numpy(images).float().div(127.5).sub(1).reshape(-1, 1, SIDE, SIDE)


def judge(digits: Digits) -> Judge:
    """Train the classifier on the training images, the same one every time."""
    with forked("judge"):
        body = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 16, 64), nn.ReLU(),
        )  # fmt: skip
        head = nn.Linear(64, 10)
        net = nn.Sequential(body, head)
        x, y = _inputs(digits.train), torch.from_numpy(digits.train_labels).long()
        steps = EPOCHS * (len(x) // 100)
        optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        generator = seeded("judge's batches")
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x), generator=generator).split(100):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
                optimizer.step()
                schedule.step()
    net.eval()
    unit = Judge(body, head, 1.0, 0.0)
    scale = float(np.sqrt(TOTAL_VARIANCE / unit.features(digits.train).var(axis=0, ddof=1).sum()))
    accuracy = float((unit.classes(digits.held_out) == digits.held_out_labels).mean())
    return Judge(body, head, scale, accuracy)


def fitted(images: Pixels, steps: int, folder: Path) -> sm.FittedScore:
    """The library's fit at its defaults but for the steps; goes on where it was stopped."""
    resume = (folder / "checkpoints").is_dir()
    often = {"training": {"checkpoint_every": 100}}
    return sm.fit(
        images, seed=0, max_steps=steps, configuration=often, out=folder, resume=resume, quiet=True
    )


def mixture_samples(images: Pixels, n: int) -> Pixels:
    """Gaussian mixture of 30 components in the principal components with 90% of the variance."""
    rows = images.reshape(len(images), -1).astype(np.float64)
    components = PCA(0.9, random_state=0).fit(rows)
    mixture = GaussianMixture(30, covariance_type="full", reg_covar=1.0, random_state=0)
    drawn = mixture.fit(components.transform(rows)).sample(n)[0]
    return _pixels(components.inverse_transform(drawn))


def _pixels(rows: Array) -> Pixels:
    return np.rint(rows.clip(0, 255)).astype(np.uint8).reshape(-1, SIDE, SIDE)


@dataclass(frozen=True)
class Measure:
    """The columns of the table for any images."""

    judge: Judge
    digits: Digits

    def __call__(self, images: Pixels) -> list[str]:
        """Fréchet distance, neighbour ratio, copies, and the least and the most frequent class."""
        flat = [_flat(part) for part in (images, self.digits.train, self.digits.held_out)]
        near, fresh = nearest_distance(flat[0], flat[1]), nearest_distance(flat[2], flat[1])
        ratio, copies = np.median(near) / np.median(fresh), (near < np.quantile(fresh, 0.01)).mean()
        shares = np.bincount(self.judge.classes(images), minlength=10) / len(images)
        return [
            f"{self.frechet(images):.2f}", f"{ratio:.2f}", f"{copies:.3f}",
            f"{shares.min():.3f}–{shares.max():.3f}",
        ]  # fmt: skip

    def frechet(self, images: Pixels) -> float:
        """Fréchet distance to the held-out images."""
        features = self.judge.features
        return frechet_distance(features(images), features(self.digits.held_out))


def _flat(images: Pixels) -> Images:
    return images.reshape(len(images), -1).astype(np.float32)


def floor(measure: Measure, *, replace: bool) -> str:
    """Mean and standard deviation of the distance of as many training images as samples."""
    train = measure.digits.train
    rng = np.random.default_rng(0)
    found = [
        measure.frechet(train[rng.choice(len(train), SAMPLES, replace=replace)])
        for _ in range(DRAWS)
    ]
    return f"{np.mean(found):.2f} ± {np.std(found, ddof=1):.2f}"


def sheet(images: Pixels, columns: int, scale: int) -> Pixels:
    """Images side by side, dark on white, each pixel enlarged to a square."""
    cell = SIDE + GAP
    canvas = np.full((-(-len(images) // columns) * cell + GAP, columns * cell + GAP), 255, np.uint8)
    for k, image in enumerate(images):
        top, left = k // columns * cell + GAP, k % columns * cell + GAP
        canvas[top : top + SIDE, left : left + SIDE] = 255 - image
    return canvas.repeat(scale, 0).repeat(scale, 1)


def save(path: Path, images: Pixels, columns: int = 16, scale: int = 2) -> None:
    """Write a sheet as a PNG file."""
    with new_file(path, overwrite=True) as temporary, temporary.open("wb") as file:
        Image.fromarray(sheet(images, columns, scale)).save(file, "PNG", optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the classifier and the model, draw samples, compare them with the held-out images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of training ({STEPS})")
    parser.add_argument("--evaluations", type=int, nargs="+", default=[20, 32])
    parser.add_argument("--picture", type=Path, help="also draw the first samples, a PNG file")
    options = parser.parse_args(arguments)
    with one_thread():
        digits = split()
        measure = Measure(judge(digits), digits)
        print(f"Held-out accuracy of the classifier: {measure.judge.accuracy:.4f}")
        print(f"Floor, training images: {floor(measure, replace=False)}, with replacement ", end="")
        print(f"{floor(measure, replace=True)}\n", flush=True)
        start = process_time()
        model = fitted(digits.train, options.steps, CACHE / "mnist")
        print(f"Fit: {process_time() - start:.0f} processor seconds in this session\n", flush=True)
        draw: Callable[[int], Pixels] = lambda n: _pixels(  # noqa: E731
            np.asarray(model.sample(SAMPLES, seed=0, n_evaluations=n), dtype=np.float64)
        )
        rows = [
            ["PCA 90% + Gaussian mixture K=30", *measure(mixture_samples(digits.train, SAMPLES))]
        ]
        for n in options.evaluations:
            samples = draw(n)
            rows.append([f"ours, {n} evaluations", *measure(samples)])
            print(rows[-1], file=sys.stderr, flush=True)
        if options.picture:
            save(options.picture, samples[:160])
    print(markdown(["", "Fréchet", "nn_ratio", "copies", "classes' shares"], rows))


if __name__ == "__main__":
    main()
