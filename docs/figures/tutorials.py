"""The pictures of docs/tutorials/ that need no training: `python docs/figures/tutorials.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_iris, load_wine
from sklearn.mixture import GaussianMixture

import scorematching as sm

IMAGES = Path(__file__).parents[1] / "images"
BLUE, RED, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "0.55"


def statistician() -> None:
    """A bimodal ratio, and polynomial exponential densities of three degrees."""
    ratio = load_wine(as_frame=True).data[["od280/od315_of_diluted_wines"]]
    centre, unit = ratio.mean().item(), ratio.std().item()
    figure, axes = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
    axes.hist(ratio.to_numpy()[:, 0], 28, density=True, color="#b8cfe0")
    grid = torch.linspace(1.0, 4.4, 400, dtype=torch.float64)[:, None]
    lines = ((2, ":", "0.35"), (4, "--", BLUE), (6, "-", RED))
    for degree, style, colour in lines:
        est = sm.estimate(sm.families.PolynomialExponential(degree), (ratio - centre) / unit)
        density = est.model.log_density((grid - centre) / unit).exp() / unit
        axes.plot(grid, density, style, color=colour, label=f"degree {degree}", linewidth=1.8)
    axes.set(xlabel="OD280/OD315", xlim=(1.0, 4.4), yticks=[])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(IMAGES / "tutorial-statistician.png", dpi=150)


def student() -> None:
    """The score of petals at two noise levels, and where two samplers end."""
    petals = torch.from_numpy(load_iris().data[:, 2:])
    two = GaussianMixture(2, random_state=0).fit(petals)
    parts = (two.weights_, two.means_, two.covariances_)
    p = sm.densities.GaussianMixture(*map(torch.from_numpy, parts))
    process = sm.noise.VE(sigma_min=0.02, sigma_max=10.0)
    exact = p.noisy_score(process)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharey=True)
    across, up = np.meshgrid(np.linspace(0.2, 7.6, 16), np.linspace(-0.8, 3.2, 13))
    grid = torch.from_numpy(np.stack([across.ravel(), up.ravel()], 1))
    for panel, sigma in zip(axes, (0.3, 3.0), strict=False):
        score = exact(grid, process.time_of(torch.tensor(sigma, dtype=torch.float64)))
        length = score.norm(dim=1, keepdim=True)
        arrows = (score / length * (length / length.max()) ** 0.4).numpy()
        panel.plot(*petals.T.numpy(), ".", ms=4, color=BLUE)
        panel.quiver(*grid.T.numpy(), *arrows.T, color=GREY, scale=22, width=0.004)
        panel.set_title(f"score at σ = {sigma:g} cm", loc="left", fontsize=11)
    start = torch.tensor([[1.5, 0.2]], dtype=torch.float64).repeat(2000, 1)
    generator = torch.Generator().manual_seed(4)
    stuck = sm.samplers.ula(p.score, start, 0.005, 2000, generator=generator).x
    noise = sm.samplers.prior_sample(
        2000, process, petals.mean(0), petals.T.cov(), generator=generator
    )
    free = sm.samplers.reverse_sde(exact, process, noise, generator=generator).x
    ends = torch.cat([free[:500], stuck[:500]])
    colours = np.repeat([GREEN, RED], 500)
    mixed = np.random.default_rng(0).permutation(1000)
    axes[2].scatter(*ends[mixed].T.numpy(), s=5, c=colours[mixed])
    for colour, name in ((GREEN, "reverse SDE, 51"), (RED, "Langevin, 2,000")):
        axes[2].plot([], [], "o", ms=5, color=colour, label=f"{name} evaluations")
    axes[2].legend(frameon=False, loc="upper left", handletextpad=0, fontsize=9)
    axes[2].set_title("500 walkers of each", loc="left", fontsize=11)
    for panel in axes:
        panel.set(xlabel="petal length in cm", xlim=(0, 7.8), ylim=(-1, 3.6))
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("petal width in cm")
    figure.savefig(IMAGES / "tutorial-student.png", dpi=140)


if __name__ == "__main__":
    statistician()
    student()
