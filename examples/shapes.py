"""Shapes out of noise: a noise-conditional score network, and what a rare class costs.

    s_θ(x, σ) ≈ ∇ log p_σ(x),   p_σ the density of image + σz

Annealed Langevin (Song & Ermon 2019) walks x ← x + η s_θ(x, σ) + √(2η) z, η ∝ σ², from the highest
noise level to the lowest. Look at the film: place and size are settled first, corners last. Below,
how the classes are shared out, and how many images of each it takes until a new one has one near.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import scorematching as sm

LADDER = sm.noise.Ladder.geometric(0.12, 20.0, 24)  # in spreads of the pixels
SHARES = {"25/25/25/25": (25, 25, 25, 25), "60/20/15/5": (60, 20, 15, 5)}


def chains(images: np.ndarray, n: int, steps: int, seed: int) -> np.ndarray:
    """n chains at the end of each level, and denoised: ``(25, n, 28, 28)`` in grey values."""
    settings = {"net": {"channels": (32, 64), "dropout": 0.0}, "noise": {"log_mean": 0.5}}
    settings |= {"training": {"batch_size": 64, "average_half_life": 30}}
    model = sm.fit(images, configuration=settings, max_steps=steps, seed=seed, quiet=True)
    g = torch.Generator().manual_seed(seed)
    start = sm.samplers.prior_sample(n, LADDER, model.denoiser.base.mean, generator=g)
    score = sm.noise.DenoiserScore(model.denoiser, LADDER)
    eta = sm.noise.advise_for(784, 20.0, 0.12, n_levels=24, n_steps_each=5).langevin
    walk = sm.samplers.annealed_langevin(score, LADDER, start, **eta, generator=g, record_every=5)
    grey = model.transform.inverse(torch.cat([*walk.trajectory[1:], walk.x]).double())
    return grey.reshape(25, n, 28, 28).numpy()


def nearest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Which y is nearest to each x; and Σ‖x − y‖²/Σ‖x‖² with it."""
    found = torch.cdist(*(torch.from_numpy(each).flatten(1) for each in (x, y))).min(1)
    return found.indices.numpy(), found.values.square().sum().item() / (x**2).sum()


def compute(quick: bool = False, seed: int = 0) -> dict:
    r = {"walks": [], "shares": {}, "means": [], "gaps": []}
    for name, weights in SHARES.items():
        images, classes = sm.data.shapes(800 if quick else 6000, weights, seed=seed)
        walk = chains(images, 8 if quick else 100, 1 if quick else 320, seed)
        r["shares"][name] = np.bincount(classes[nearest(walk[-1], images)[0]], minlength=4)
        r["walks"].append(walk)
    counts = 50 * 2 ** np.arange(5 if quick else 7)
    for name, only in zip(sm.data.SHAPES, np.eye(4), strict=True):
        images, _ = sm.data.shapes(counts[-1] + 300, only, seed=seed + 1)
        r["means"].append(images.mean((0, 1)))
        r["gaps"].append(gap := np.array([nearest(images[-300:], images[:m])[1] for m in counts]))
        r[name] = np.exp(np.interp(-np.log(0.25), -np.log(gap), np.log(counts)))
    return r


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    grid = {"height_ratios": (1, 1.25), "width_ratios": (8, 8, 2, 4)}
    figure, axes = plt.subplot_mosaic("FFFF;ABMG", figsize=(14, 8), gridspec_kw=grid)
    titles = (f"Data {a}, samples {'/'.join(map(str, b))}" for a, b in r["shares"].items())
    images = r["walks"][0][:-1, 0], *(walk[-1, :64] for walk in r["walks"]), r["means"]
    parts = zip("FABM", ("Annealed Langevin", *titles, "Means"), images, (12, 8, 8, 1), strict=True)
    for key, title, x, columns in parts:
        x = np.pad(x, ((0, 0), (7 * (key == "F"), 2), (0, 2)))
        x = x.reshape(-1, columns, *x.shape[1:]).swapaxes(1, 2).reshape(-1, columns * 30)
        axes[key].imshow(x, vmin=0, vmax=min(255, x.max()), interpolation="nearest")
        axes[key].set_title(title)
        axes[key].set_axis_off()
    for i, sigma in enumerate(reversed(LADDER.levels)):
        axes["F"].text(30 * (i % 12), 37 * (i // 12) + 5, f"σ = {sigma:.2g}")
    axes["G"].barh(sm.data.SHAPES[::-1], [r[name] for name in sm.data.SHAPES[::-1]])
    axes["G"].set(title="Images needed", xlabel="until one is near")
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("shapes.png")
