"""Picture and numbers of docs/domains/compositions.md: `python docs/figures/compositions.py`."""

from __future__ import annotations

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
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])

# [wine]
wine = load_wine(as_frame=True)
phenols = wine.data[["flavanoids", "proanthocyanins", "nonflavanoid_phenols"]].to_numpy()
parts = phenols / phenols.mean(0)  # each in units of its mean over all wines
shares = parts / parts.sum(1, keepdims=True)

geometries = sm.domains.FlatSimplex(3), sm.domains.SqrtSimplex(3), sm.domains.LogRatioSimplex(3)
third = shares[wine.target == 2]
compared = [sm.estimate(sm.families.Dirichlet(3), third, domain=each) for each in geometries]
# [/wine]

# [ink]
ones = load_digits().images[load_digits().target == 1]
columns = np.stack([part.sum((1, 2)) for part in np.split(ones, [3, 5], axis=2)], 1)
ink = columns / columns.sum(1, keepdims=True)  # left, middle, right; seven rows have a zero

tilted = sm.estimate(sm.families.PPI(3), ink, domain=sm.domains.FlatSimplex(3))
# [/ink]


def triangle(axes: plt.Axes, names: tuple[str, str, str]) -> None:
    axes.plot(*CORNERS[[0, 1, 2, 0]].T, color="0.3", linewidth=1)
    for corner, name, (dx, dy) in zip(
        CORNERS, names, ((0, -0.06), (0, -0.06), (0, 0.03)), strict=True
    ):
        axes.text(corner[0] + dx, corner[1] + dy, name, ha="center", fontsize=9)
    axes.set(aspect="equal", xlim=(-0.15, 1.15), ylim=(-0.08, 0.92))
    axes.axis("off")


def contours(axes: plt.Axes, model: object, colour: str, **style: object) -> None:
    """The smallest regions with 50% and 90% of the distribution."""
    step = np.linspace(0.0005, 0.999, 500)
    a, b = np.meshgrid(step, step)
    parts = np.stack([a, b, 1 - a - b], -1)
    inside = parts[..., 2] > 0.0004
    density = np.full(a.shape, np.nan)
    log_density = model.log_density(torch.from_numpy(parts[inside]))
    density[inside] = (log_density - log_density.max()).exp()
    ordered = np.sort(density[inside])[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = [ordered[np.searchsorted(mass, p)] for p in (0.9, 0.5)]
    at = parts @ CORNERS
    axes.contour(at[..., 0], at[..., 1], density, levels, colors=colour, **style)


def draw() -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.2), layout="constrained")
    triangle(left, ("flavanoids", "proanthocyanins", "nonflavanoid phenols"))
    for k, colour in enumerate(COLOURS):
        rows = shares[wine.target == k]
        left.plot(*(rows @ CORNERS).T, ".", ms=3, color=colour, label=f"cultivar {k}")
        fitted = sm.estimate(sm.families.Dirichlet(3), rows, domain=sm.domains.SqrtSimplex(3))
        contours(left, fitted.model, colour, linewidths=(0.9, 1.5))
    left.legend(frameon=False, fontsize=9, loc=(0.02, 0.72))
    triangle(right, ("left", "middle", "right"))
    zero = (ink == 0).any(1)
    right.plot(*(ink[~zero] @ CORNERS).T, ".", ms=3, color=COLOURS[0])
    right.plot(*(ink[zero] @ CORNERS).T, "o", ms=4, color=COLOURS[1], label="a zero", zorder=3)
    contours(right, tilted.model, "0.2", linewidths=(0.9, 1.5))
    right.legend(frameon=False, fontsize=9, loc=(0.02, 0.72))
    figure.savefig(HERE.parent / "images" / "compositions.png", dpi=140)


if __name__ == "__main__":
    draw()
    lines = [f"{'':16s}{'beta[1]':>16s}{'beta[2]':>16s}{'beta[3]':>16s}"]
    for domain, estimate in zip(geometries, compared, strict=True):
        pairs = zip(estimate.theta.tolist(), estimate.std_errors.tolist(), strict=True)
        cells = "".join(f"{value:9.2f} ±{error:5.2f}" for value, error in pairs)
        lines.append(f"{type(domain).__name__:16s}{cells}")
    (HERE / "compositions-wine.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (HERE / "compositions-ink.txt").write_text(tilted.summary() + "\n", encoding="utf-8")
    print("\n".join(lines))
