"""The pictures and numbers of docs/domains/truncated.md: `python docs/figures/truncated.py`."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes

import scorematching as sm

HERE = Path(__file__).parent
BARS, LINE, OTHER = "#b8cfe0", "#d55e00", "0.35"

# [box]
patients = load_diabetes(scaled=False, as_frame=True).data
pressure, cholesterol = patients["bp"], patients["s1"]

# Suppose that a study had admitted patients with a blood pressure of at least 85 only, and
# another those with a cholesterol between 140 and 240. The cap is about two standard deviations.
at_least = sm.domains.Box(85, math.inf, weight=sm.domains.MinPower(power=1, cap=30))
between = sm.domains.Box(140, 240, weight=sm.domains.MinPower(power=1, cap=60))

admitted = pressure[pressure >= 85]
by_pressure = sm.estimate(sm.families.Gaussian(1), admitted, domain=at_least)
window = cholesterol[cholesterol.between(140, 240)]
by_cholesterol = sm.estimate(sm.families.Gaussian(1), window, domain=between)
# [/box]

# [halfspaces]
tumours = load_breast_cancer(as_frame=True)
radii = tumours.data.loc[tumours.target == 0, ["mean radius", "worst radius"]]

# The mean cannot exceed the worst: x₁ − x₂ ≤ 0.
on_half_plane = sm.estimate(
    sm.families.Gaussian(2), radii, domain=sm.domains.Halfspaces([[1, -1]], [0])
)
# [/halfspaces]


def histogram(axes: plt.Axes, x: np.ndarray, seen: np.ndarray, model: object) -> None:
    """All rows, those that the estimate saw, and its density continued over those it did not."""
    edges = np.linspace(x.min(), x.max(), 36)
    share = len(seen) / len(x)
    axes.hist(x, edges, weights=np.full(len(x), 1 / len(x) / np.diff(edges)[0]), color="0.9")
    axes.hist(seen, edges, weights=np.full(len(seen), 1 / len(x) / np.diff(edges)[0]), color=BARS)
    grid = np.linspace(x.min(), x.max(), 600)
    plain = np.exp(-((grid - seen.mean()) ** 2) / (2 * seen.var())) / seen.std()
    axes.plot(grid, share * plain / math.sqrt(2 * math.pi), ":", color=OTHER, linewidth=1.2)
    shape = np.exp(-(((grid - model.mu) / model.sigma) ** 2) / 2)
    low, high = max(model.low, grid[0]), min(model.high, grid[-1])
    middle = torch.tensor([[(low + high) / 2]], dtype=torch.float64)
    top = model.log_density(middle).exp().item()
    scale = share * top / np.exp(-(((middle.item() - model.mu) / model.sigma) ** 2) / 2)
    inside = (grid >= low) & (grid <= high)
    axes.plot(grid, scale * shape, "--", color=LINE, linewidth=1.2)
    axes.plot(grid[inside], (scale * shape)[inside], color=LINE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_yticks([])


def draw() -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.9), layout="constrained")
    histogram(left, pressure.to_numpy(), admitted.to_numpy(), by_pressure.model)
    left.set_xlabel("blood pressure, seen from 85")
    histogram(right, cholesterol.to_numpy(), window.to_numpy(), by_cholesterol.model)
    right.set_xlabel("cholesterol, seen from 140 to 240")
    figure.savefig(HERE.parent / "images" / "truncated.png", dpi=140)


def draw_half_plane() -> None:
    figure, axes = plt.subplots(figsize=(4.6, 3.9), layout="constrained")
    x, y = np.meshgrid(np.linspace(9, 30, 300), np.linspace(9, 38, 300))
    grid = torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1))
    density = on_half_plane.model.log_density(grid).exp().reshape(x.shape).numpy()
    density[y < x] = np.nan
    ordered = np.sort(density[y >= x])[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = [ordered[np.searchsorted(mass, p)] for p in (0.95, 0.75, 0.5)]
    axes.plot(*radii.to_numpy().T, ".", ms=3, color="#5b8db8")
    axes.contour(x, y, density, levels, colors=LINE, linewidths=1.1)
    axes.fill_between([9, 30], [9, 30], 9, color="0.9", linewidth=0)
    axes.set(xlabel="mean radius, malignant", ylabel="worst radius", xlim=(9, 30), ylim=(9, 38))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE.parent / "images" / "truncated-halfplane.png", dpi=140)


if __name__ == "__main__":
    draw()
    draw_half_plane()
    (HERE / "truncated.txt").write_text(on_half_plane.summary() + "\n", encoding="utf-8")
    lines = [f"{'':14s}{'all rows':>16s}{'rows seen':>16s}{'truncated':>16s}"]
    for x, seen, estimate in (
        (pressure, admitted, by_pressure),
        (cholesterol, window, by_cholesterol),
    ):
        pairs = (
            (x.mean(), x.std()),
            (seen.mean(), seen.std()),
            (estimate.model.mu, estimate.model.sigma),
        )
        name = {"bp": "pressure", "s1": "cholesterol"}[x.name]
        lines.append(f"{name:14s}" + "".join(f"{m:9.1f} ±{s:5.1f}" for m, s in pairs))
    (HERE / "truncated-boxes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
