"""Shapes without labels: are they shapes, and does each class get its share?

Question: `sm.fit` of 20,000 generated images of 28 × 28, balanced and 60/20/15/5, then 1,000
samples each without classes. A classifier with a reject class judges them (`shape_judge`); it is
held to rejecting 95% of held-out corrupted and blended shapes and to accepting 98% of real ones.
Aimed at: 90% of the samples accepted; total variation of their class proportions at most 0.10
balanced and 0.15 unbalanced. The limit is what 1,000 real images get. Annealed Langevin on a ladder
stands beside the library's own sampler.

Which class suffers where it is the rare one? Four small fits of 4,000 images in which the classes
take the four shares in turn: how many of the samples closest to a class are accepted, by its share.
And without any network, how many images of a class it takes until the nearest of them to a new one
is at a quarter of its squared norm: the more a class disperses, the more it needs.

    python -m benchmarks.shapes [--only judge samples rotation needed]

The images are fitted in patches of 2 × 2, as 4 channels of 14 × 14. That is a permutation of the
pixels, so that noise and score are the same, and costs a sixth of the products.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.protocols.paths import CACHE
from benchmarks.shape_judge import Judge, held_out, kept, total_variation, unit
from benchmarks.tables import markdown
from benchmarks.timing import one_thread
from scorematching.data.drawn_shapes import SHAPES, WHITE, shapes

if TYPE_CHECKING:
    from scorematching.fitted import FittedScore

Array = NDArray[np.float64]

FOLDER = CACHE / "shapes"
SHARES = {"balanced": (0.25, 0.25, 0.25, 0.25), "unbalanced": (0.60, 0.20, 0.15, 0.05)}
ROWS, STEPS = 20_000, 2_500
FEW_ROWS, FEW_STEPS = 4_000, 400
N_SAMPLES, N_CHAINS = 1_000, 200
LEVELS, STEPS_EACH = 24, 5
SETTINGS: dict[str, Any] = {
    "net": {"channels": (32, 64), "dropout": 0.0},
    "noise": {"log_mean": 0.5, "log_std": 1.0},
    "training": {"batch_size": 64, "checkpoint_every": 100},
}


def patches(images: Array) -> Array:
    """``(n, 1, 28, 28)`` → ``(n, 4, 14, 14)``: the pixels of each patch of 2 × 2 as channels."""
    n, _, height, width = images.shape
    split = images.reshape(n, height // 2, 2, width // 2, 2)
    return split.transpose(0, 2, 4, 1, 3).reshape(n, 4, height // 2, width // 2)


def whole(rows: Array) -> Array:
    """The inverse of `patches`."""
    n, _, height, width = rows.shape
    split = rows.reshape(n, 2, 2, height, width)
    return split.transpose(0, 3, 1, 4, 2).reshape(n, 1, 2 * height, 2 * width)


def fitted(name: str, shares: Sequence[float], rows: int, steps: int, seed: int = 0) -> FittedScore:
    """A fit of shapes in these proportions; kept, and gone on with where it was stopped."""
    import scorematching as sm

    images, _ = shapes(rows, shares, seed=seed)
    key = repr((SETTINGS, steps, seed, torch.__version__)).encode() + images.tobytes()
    folder = FOLDER / f"{name}-{hashlib.sha256(key).hexdigest()[:12]}"
    if (folder / "model").exists():
        return sm.load(folder)
    return sm.fit(
        patches(images),
        configuration=SETTINGS,
        max_steps=steps,
        seed=seed,
        out=folder,
        resume=(folder / "checkpoints" / "current").exists(),
        quiet=True,
    )


def turned(shares: Sequence[float], k: int) -> tuple[float, ...]:
    """The shares moved around so that class k has the last one."""
    moved = np.roll(np.asarray(shares), k + 1 - len(shares))
    return tuple(float(share) for share in moved)


def greys(rows: Array) -> Array:
    """Whole grey values ``(n, 1, 28, 28)`` from fitted rows."""
    return np.clip(np.round(whole(np.asarray(rows, dtype=np.float64))), 0, WHITE)


def langevin(model: FittedScore, n: int, seed: int = 0) -> Array:
    """n images by annealed Langevin on a ladder between the levels that the sampler uses."""
    from scorematching.noise import DenoiserScore, advise_for
    from scorematching.random import seeded
    from scorematching.samplers import annealed_langevin, prior_sample

    ends = model.configuration.sampling
    mean = model.denoiser.base.mean
    advice = advise_for(
        mean.numel(), ends.sigma_max, ends.sigma_min, n_levels=LEVELS, n_steps_each=STEPS_EACH
    )
    generator = seeded(seed, "langevin")
    walk = annealed_langevin(
        DenoiserScore(model.denoiser, advice.ladder),
        advice.ladder,
        prior_sample(n, advice.ladder, mean, generator=generator),
        **advice.langevin,
        generator=generator,
    )
    return greys(model.transform.inverse(walk.x.double()).numpy())


def judged_line(name: str, images: Array, shares: Sequence[float], judge: Judge) -> list[str]:
    """One row of the table: accepted, shares of the classes, total variation."""
    verdict = judge(unit(images))
    found = verdict.proportions
    listed = "/".join(f"{100 * share:.1f}" for share in found)
    accepted = 100 * verdict.accepted.mean()
    each = "/".join(f"{100 * part:.0f}" for part in verdict.acceptance())
    return [name, f"{accepted:.1f}%", each, listed, f"{total_variation(found, shares):.3f}"]


def main_table() -> str:
    """Samples and real images, balanced and unbalanced."""
    judge, rows = kept(FOLDER), []
    for name, shares in SHARES.items():
        model = fitted(name, shares, ROWS, STEPS)
        drawn = greys(model.sample(N_SAMPLES, seed=1))
        real = shapes(N_SAMPLES, shares, seed=9).images
        rows += [
            judged_line(f"{name}: samples", drawn, shares, judge),
            judged_line(f"{name}: annealed Langevin", langevin(model, N_CHAINS), shares, judge),
            judged_line(f"{name}: real images", real, shares, judge),
        ]
    head = ["", "accepted", "of each class", "classes of the accepted", "total variation"]
    return markdown(head, rows)


def rotation_table() -> str:
    """Of the samples closest to each class, how many are accepted, by the share it was given."""
    judge, shares = kept(FOLDER), SHARES["unbalanced"]
    accepted = np.zeros((len(SHAPES), len(shares)))
    for k in range(len(SHAPES)):
        given = turned(shares, k)
        model = fitted(f"rare-{SHAPES[k]}", given, FEW_ROWS, FEW_STEPS)
        verdict = judge(unit(greys(model.sample(N_SAMPLES, seed=1))))
        for j, part in enumerate(verdict.acceptance()):
            accepted[j, shares.index(given[j])] = part
    head = ["", *(f"{100 * share:.0f}%" for share in shares)]
    rows = [
        [name, *(f"{100 * part:.0f}%" for part in parts)]
        for name, parts in zip(SHAPES, accepted, strict=True)
    ]
    return markdown(head, rows)


def judge_table() -> str:
    """What the judge does to fresh real images and to each way of spoiling them."""
    found = dict(held_out(kept(FOLDER)))
    accepted = found.pop("accepted")
    rows = [["real images accepted", f"{100 * accepted:.1f}%"]]
    rows += [[f"{way}, rejected", f"{100 * part:.1f}%"] for way, part in found.items()]
    rows.append(["all ten ways, rejected", f"{100 * np.mean(list(found.values())):.1f}%"])
    return markdown(["held out", ""], rows)


def gaps(k: int, counts: Sequence[int], n_new: int = 500) -> Array:
    """Σ‖x − y‖²/Σ‖x‖² over new images x of class k, y the nearest to x of m, for each m."""
    images = shapes(max(counts) + n_new, np.eye(len(SHAPES))[k]).images
    rows = torch.from_numpy(images).flatten(1)
    new = rows[-n_new:]
    nearest = [torch.cdist(new, rows[:m]).amin(1) for m in counts]
    return np.array([float((each**2).sum() / (new**2).sum()) for each in nearest])


def needed(k: int, gap: float = 0.25, n_new: int = 500, doublings: int = 6) -> float:
    """m at which the gap of class k is so large, between 50 and so many doublings of it.

    Interpolated in the logarithms.
    """
    counts = 50 * 2 ** np.arange(doublings + 1)
    found = gaps(k, counts.tolist(), n_new)
    return float(np.exp(np.interp(-np.log(gap), -np.log(found), np.log(counts))))


def dispersion(k: int, n: int = 4000) -> float:
    """E‖x − μ‖²/E‖x‖² in class k, μ its mean image."""
    images = shapes(n, np.eye(len(SHAPES))[k]).images
    return float(((images - images.mean(0)) ** 2).sum() / (images**2).sum())


def needed_table() -> str:
    """How the classes disperse, how many images each needs, and its gap at each share of 4,000."""
    shares = SHARES["unbalanced"]
    counts = [round(share * FEW_ROWS) for share in shares]
    rows = [
        [name, f"{dispersion(k):.2f}", f"{needed(k):.0f}", *(f"{g:.2f}" for g in gaps(k, counts))]
        for k, name in enumerate(SHAPES)
    ]
    at = [f"gap at {100 * share:.0f}%" for share in shares]
    return markdown(["", "E‖x − μ‖²/E‖x‖²", "images until the gap is 0.25", *at], rows)


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "judge": ("The judge", judge_table),
    "samples": ("Samples", main_table),
    "rotation": ("Accepted of the samples closest to a class, by its share", rotation_table),
    "needed": ("Images needed", needed_table),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; fits and the judge are kept under ``.bench/``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    with one_thread():
        for name in parser.parse_args(arguments).only:
            title, table = TABLES[name]
            print(f"{title}\n\n{table()}\n", flush=True)


if __name__ == "__main__":
    main()
