"""Digits 8×8 with labels: how good are few evaluations?

`sm.fit(images, labels=…)` at its defaults, then 1,000 samples with 10 and with 20 evaluations. Ten
sets of labels are drawn independently by the classes' frequencies, as those of fresh rows would be;
then the labels are spread, each class as often as in the data. Both are compared with the held-out
images. Aimed at, means over the ten: Fréchet ≤ 1.8 drawn and ≤ 1.35 spread, c2st_mlp ≤ 0.55,
copies ≤ 0.03.

    python -m benchmarks.digits_labelled [--seeds 0 1 2] [--draws 10]

Images that are not told their class, a tenth by default, teach the unconditional score, which
guidance needs; ``--condition-dropout 0`` does without. The training takes at most 120 s of one
idle core a seed; a fit is kept in .bench/digits-labelled as long as the library's source is the
same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import process_time

import numpy as np

import scorematching as sm
from benchmarks.ours import as_images, grey_levels, source_digest
from benchmarks.protocols.digits import Digits, evaluate, split
from benchmarks.protocols.paths import CACHE
from benchmarks.tables import markdown
from benchmarks.timing import one_thread

N_SAMPLES = 1000
EVALUATIONS = (10, 20)
METRICS = ("frechet", "c2st_mlp", "nn_ratio", "copies", "nonfinite")


def labelled_fit(
    digits: Digits, seed: int, condition_dropout: float | None = None
) -> sm.FittedScore:
    """A fit to the grey values that a user has, and their classes.

    It is at the defaults, but for the share of images that are not told their class, if given.
    """
    told = {} if condition_dropout is None else {"condition_dropout": condition_dropout}
    name = "-".join([source_digest()[:16], *map(str, told.values()), str(seed)])
    folder = CACHE / "digits-labelled" / name
    if not folder.is_dir():
        start = process_time()
        images, labels = grey_levels(digits.train), digits.train_labels
        fitted = sm.fit(
            images, labels=labels, seed=seed, configuration={"training": told}, quiet=True
        )
        print(f"seed {seed}: {process_time() - start:.0f} processor seconds", file=sys.stderr)
        fitted.save(folder)
    return sm.load(folder)


def quality(
    fitted: sm.FittedScore, n_evaluations: int, draws: int, *, spread: bool
) -> dict[str, float]:
    """The mean of each metric over sets of samples, whose labels are spread or drawn."""
    runs = []
    for draw in range(draws):
        labels = fitted.spread_labels(N_SAMPLES) if spread else None
        samples = fitted.sample(N_SAMPLES, seed=draw, labels=labels, n_evaluations=n_evaluations)
        runs.append(evaluate(as_images(samples)).as_dict())
    return {name: float(np.mean([run[name] for run in runs])) for name in METRICS}


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, draw, measure, and print a markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the fits")
    parser.add_argument("--draws", type=int, default=10, help="sets of samples (default 10)")
    parser.add_argument(
        "--condition-dropout", type=float, help="share of images not told their class (default's)"
    )
    options = parser.parse_args(arguments)
    digits, rows = split(), []
    with one_thread():
        fits = [labelled_fit(digits, seed, options.condition_dropout) for seed in options.seeds]
        for spread in (False, True):
            for n in EVALUATIONS:
                found = [quality(fitted, n, options.draws, spread=spread) for fitted in fits]
                name = f"labels {'spread' if spread else 'drawn'}, {n} evaluations"
                each = ", ".join(f"{one['frechet']:.2f}" for one in found)
                means = [f"{np.mean([one[key] for one in found]):.3g}" for key in METRICS]
                rows.append([name, *means, each])
                print(rows[-1], file=sys.stderr, flush=True)
    print(markdown(["", *METRICS, "Fréchet of each seed"], rows))


if __name__ == "__main__":
    main()
