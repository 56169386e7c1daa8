"""The pictures and numbers of docs/domains/directions.md: `python docs/figures/directions.py`."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits, load_wine

import scorematching as sm

HERE = Path(__file__).parent
COLOURS = ("#0072b2", "#d55e00", "#009e73")
CULTIVARS = ("cultivar 0", "cultivar 1", "cultivar 2")

# [sphere]
wine = load_wine(as_frame=True)
z = wine.data[["alcohol", "color_intensity", "hue"]].to_numpy()
z = (z - z.mean(0)) / z.std(0)
x = z / np.linalg.norm(z, axis=1, keepdims=True)  # the direction in which a wine differs

wines = [sm.estimate(sm.families.VonMisesFisher(3), x[wine.target == k]) for k in range(3)]
# [/sphere]

# [circle]
digits = load_digits()
column, row = np.meshgrid(np.arange(8), np.arange(8))


def doubled_axis(image: np.ndarray) -> float:
    """Twice the angle of the principal axis of the ink: an axis has no orientation."""
    ink = image / image.sum()
    u, v = column - (ink * column).sum(), (ink * row).sum() - row
    return math.atan2(2 * (ink * u * v).sum(), (ink * (u**2 - v**2)).sum())


angles = np.array([doubled_axis(image) for image in digits.images])
slants = {k: sm.estimate(sm.families.VonMises(), angles[digits.target == k]) for k in (6, 7)}
# [/circle]


def level_of(density: np.ndarray, area: np.ndarray, mass: float) -> float:
    """The density at the edge of the smallest region with a given mass."""
    order = np.argsort(-density, axis=None)
    inside = np.cumsum((density * area).flat[order])
    return float(density.flat[order][np.searchsorted(inside, mass * inside[-1])])


def draw_sphere() -> None:
    figure = plt.figure(figsize=(7.6, 4.2))
    axes = figure.add_subplot(projection="hammer")  # equal areas
    half_turn = np.linspace(-np.pi, np.pi, 361)
    longitude, latitude = np.meshgrid(half_turn, half_turn / 2 * 0.999)
    grid = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        -1,
    )
    for k, estimate in enumerate(wines):
        points = x[wine.target == k]
        axes.plot(
            np.arctan2(points[:, 1], points[:, 0]),
            np.arcsin(points[:, 2]),
            ".",
            ms=5,
            color=COLOURS[k],
            label=CULTIVARS[k],
        )
        log_density = estimate.model.log_density(torch.from_numpy(grid.reshape(-1, 3)))
        density = log_density.exp().reshape(longitude.shape).numpy()
        levels = [level_of(density, np.cos(latitude), mass) for mass in (0.9, 0.5)]
        axes.contour(longitude, latitude, density, levels, colors=COLOURS[k], linewidths=(0.9, 1.6))
    axes.set_xticklabels([])
    axes.set_yticklabels([])
    axes.grid(color="0.85", linewidth=0.5)
    figure.legend(loc="upper right", frameon=False, fontsize=9)
    figure.savefig(HERE.parent / "images" / "directions-sphere.png", dpi=140, bbox_inches="tight")


def draw_circle() -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    grid = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    for (k, estimate), colour in zip(slants.items(), COLOURS, strict=False):
        slant = np.rad2deg(angles[digits.target == k] % (2 * np.pi)) / 2
        axes.hist(slant, np.arange(50, 131, 2.5), density=True, alpha=0.35, color=colour)
        # The density of the angle in degrees: half a turn of the axis is a turn of the angle.
        density = estimate.model.log_density(grid[:, None]).exp() * math.pi / 90
        axes.plot(grid.rad2deg() / 2, density, color=colour, label=f"the digit {k}")
    axes.set(xlim=(60, 130), xlabel="axis of the ink, degrees from the horizontal")
    axes.set_ylabel("density")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE.parent / "images" / "directions-circle.png", dpi=140)


if __name__ == "__main__":
    draw_sphere()
    draw_circle()
    (HERE / "directions-sphere.txt").write_text(wines[0].summary() + "\n", encoding="utf-8")
    (HERE / "directions-circle.txt").write_text(slants[7].summary() + "\n", encoding="utf-8")
