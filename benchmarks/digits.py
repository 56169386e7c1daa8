"""Digits 8×8 without labels: are the samples as good as fresh data, and new?

Question: what does `sm.fit` at its defaults reach with at most 120 s of single-thread training and
at most 40 evaluations a sample? The limit is the training split itself as samples. Aimed at, mean
of 3 seeds and 1,000 samples each: Fréchet ≤ 2.0, c2st_mlp ≤ 0.57, nn_ratio 0.95–1.15,
copies ≤ 0.03, nonfinite 0.

    python -m benchmarks.digits

Beside ours stand peers that need no network, run here, and the published figures of other score
model packages (../shared/RECIPES.md, one seed, not run here: some of them need torchvision).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from benchmarks.ours import digits_run
from benchmarks.protocols.digits import Images, evaluate, split
from benchmarks.tables import markdown
from benchmarks.timing import one_thread

N_SAMPLES = 1000
METRICS = ("frechet", "c2st_lr", "c2st_mlp", "nn_ratio", "copies", "nonfinite")
COSTS = ("evaluations", "training_s", "sampling_s")

# name: evaluations, Fréchet, two-sample accuracy, neighbour ratio, sampling s
PUBLISHED = {
    "azula 0.11 (lr raised to 1e-3)": (20, 3.8, 0.66, 1.19, 6.1),
    "azula 0.11": (64, 6.1, 0.67, 1.31, 21),
    "smalldiffusion 0.5": (20, 8.9, 0.71, 1.50, 11),
    "diffusers 0.42 (lr 1e-3)": (20, 6.9, 0.84, 1.30, 10),
    "denoising-diffusion-pytorch 2.3": (100, 21.0, 0.94, 1.53, 81),
    "score-models 0.5": (100, 27.2, 0.87, 2.59, 70),
}


def mixture_samples(train: Images, n: int, seed: int) -> Images:
    """Gaussian mixture of 10 components in the principal components with 90% of the variance."""
    pixels = train.astype(np.float64)
    components = PCA(0.9, random_state=seed).fit(pixels)
    mixture = GaussianMixture(10, random_state=seed).fit(components.transform(pixels))
    drawn: Images = components.inverse_transform(mixture.sample(n)[0]).astype(np.float32)
    return drawn


def kernel_samples(train: Images, n: int, seed: int) -> Images:
    """Gaussian kernels on the pixels, the bandwidth by 5-fold cross-validated log-density."""
    search = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.05, 1.0, 15)}, cv=5)
    shuffled = np.random.default_rng(seed).permutation(train)
    best = search.fit(shuffled).best_estimator_
    drawn: Images = best.sample(n, random_state=seed).astype(np.float32)
    return drawn


def floor_samples(train: Images, n: int, seed: int) -> Images:
    """n different training images: what perfect samples of the training split score."""
    return train[np.random.default_rng(seed).permutation(len(train))[:n]]


PEERS = {
    "training rows (floor)": floor_samples,
    "PCA 90% + Gaussian mixture K=10": mixture_samples,
    "kernel density on pixels": kernel_samples,
}


def our_row(train: Images, seed: int) -> dict[str, float]:
    """Metrics and costs of one fit of ours."""
    run = digits_run(train, N_SAMPLES, seed)
    costs = (run.evaluations, run.fit_seconds, run.sample_seconds)
    return {**evaluate(run.samples).as_dict(), **dict(zip(COSTS, costs, strict=True))}


def line(name: str, runs: Sequence[Mapping[str, float]]) -> list[str]:
    """One row of the table: the mean of the seeds, and the seeds' Fréchet distances."""
    each = ", ".join(f"{run['frechet']:.2f}" for run in runs)
    means = [f"{np.mean([run[key] for run in runs]):.3g}" for key in METRICS]
    costs = [
        f"{np.mean([run[key] for run in runs]):.3g}" if key in runs[0] else "" for key in COSTS
    ]
    return [name, *means, each, *costs]


def published_lines() -> list[list[str]]:
    """The figures of ../shared/RECIPES.md, in the same columns."""
    return [
        [name, f"{frechet:g}", "", f"{mlp:g}", f"{ratio:g}", "", "", "", f"{evals}", "", f"{s:g}"]
        for name, (evals, frechet, mlp, ratio, s) in PUBLISHED.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the peers, the floor and ours, and print a markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--peers-only", action="store_true", help="leave our method out")
    options = parser.parse_args(arguments)
    train, rows = split().train, []
    with one_thread():
        for name, draw in PEERS.items():
            runs = [evaluate(draw(train, N_SAMPLES, seed)).as_dict() for seed in options.seeds]
            rows.append(line(name, runs))
            print(rows[-1], file=sys.stderr, flush=True)
        if not options.peers_only:
            ours = []
            for seed in options.seeds:
                ours.append(our_row(train, seed))
                print(f"ours, seed {seed}: {ours[-1]}", file=sys.stderr, flush=True)
            rows.append(line("ours, without labels", ours))
    print(markdown(["", *METRICS, "Fréchet of each seed", *COSTS], rows + published_lines()))


if __name__ == "__main__":
    main()
