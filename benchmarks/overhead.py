"""What do training and sampling cost beyond the network they call?

The network is the default U-Net, the batch 64 images. The limit of a training step is the bare
network's forward and backward pass on a batch of the same shape, of a sampling its bare forward
passes, as many as there are evaluations. Everything else is overhead: noise, the Gaussian base,
the loss, clipping, AdamW, the averaged weights, records; the grid, the steps, the noise of
sampling. Times are processor seconds of one thread. Aim: at most 1.15 and 1.05.

    python -m benchmarks.overhead [--sides 8 28] [--repeats 15]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.timing import one_thread, ratio_to_limit
from scorematching import batched
from scorematching.configuration import Configuration
from scorematching.data import Dataset, as_dataset
from scorematching.defaults import settled
from scorematching.denoising import DenoisingLoss
from scorematching.forms import Form
from scorematching.nets import PreconditionedDenoiser
from scorematching.objectives import LogNormalTimes
from scorematching.preparing import in_memory
from scorematching.random import normal, seeded
from scorematching.settling import training_settings
from scorematching.training import Record, train

BATCH = 64
STEPS = 5
AIMS = {"training": 1.15, "sampling": 1.05}


def images(side: int) -> Dataset:
    """Smooth grey images of side × side pixels."""
    grid = np.linspace(0, np.pi, side)
    waves = np.sin(grid[:, None] * np.arange(1, 4)) @ np.sin(
        grid[None, :] * np.arange(1, 4)[:, None]
    )
    rng = np.random.default_rng(side)
    x = 120 + 30 * rng.normal(size=(2000, 1, 1)) * waves + 5 * rng.normal(size=(2000, side, side))
    return as_dataset(x.clip(0, 255).astype(np.uint8))


def model(data: Dataset) -> tuple[PreconditionedDenoiser, Configuration, tuple[Tensor, ...]]:
    """The default denoiser of a data set, its settings at this batch size, and the rows."""
    changes = {"training": {"batch_size": BATCH, "max_steps": 10**6}}
    choice = settled(data, None, changes, None)
    ready = in_memory(data, None, None, choice, 0, None, Form.DATASET, "cpu")
    assert isinstance(ready.rows, tuple)
    return ready.model.denoiser, choice.configuration, ready.rows


def inputs(data: Dataset) -> tuple[Tensor, Tensor]:
    """What the network is called with: the images and the base's, stacked, and ln σ."""
    channels, height, width = data.schema.event
    x = normal((BATCH, 2 * channels, height, width), torch.empty(0), seeded("x"))
    return x, normal((BATCH,), x, seeded("level"))


def training(data: Dataset) -> tuple[Callable[[], object], Callable[[], object]]:
    """STEPS steps of the loop, and as many bare forward and backward passes."""
    denoiser, configuration, rows = model(data)
    loss = DenoisingLoss(
        batched.process_of(configuration),
        LogNormalTimes(configuration.noise.log_mean, configuration.noise.log_std),
    )
    records: Iterator[Record] = train(
        denoiser, loss, rows, training_settings(configuration, 0, None)
    )
    net, (x, level) = model(data)[0].net.train(), inputs(data)

    def steps() -> None:
        for _ in range(STEPS):
            next(records)

    def bare() -> None:
        for _ in range(STEPS):
            net(x, level).sum().backward()
            net.zero_grad(set_to_none=True)

    return steps, bare


def sampling(data: Dataset) -> tuple[Callable[[], object], Callable[[], object]]:
    """A batch of samples at the default number of evaluations, and as many forward passes."""
    denoiser, configuration, _ = model(data)
    denoiser.eval()
    net: nn.Module = denoiser.net
    x, level = inputs(data)

    def samples() -> None:
        batched.samples(denoiser, configuration, BATCH, 0, (), 1.0)

    def bare() -> None:
        with torch.no_grad():
            for _ in range(configuration.sampling.n_evaluations):
                net(x, level)

    return samples, bare


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 28], help="pixels (8 28)")
    parser.add_argument("--repeats", type=int, default=15, help="pairs of runs (default 15)")
    options = parser.parse_args()
    print(
        "| images | what | time over the bare network's, median (quartiles) | aim | processor ms |"
    )
    print("|---|---|---|---|---|")
    with one_thread():
        for side in options.sides:
            data = images(side)
            for name, ways in (("training", training), ("sampling", sampling)):
                ratio = ratio_to_limit(*ways(data), repeats=options.repeats, clock=process_time)
                print(
                    f"| {side} × {side} | {name} | {ratio} | ≤ {AIMS[name]} "
                    f"| {ratio.seconds * 1e3:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
