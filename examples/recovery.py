"""MAP: signals are recovered from a blurred, noisy view, with a prior learned from others.

    y = Ax + σ_y ε:   min ½‖y − Ax‖²/σ_y² − log p(x),   so   Aᵀ(y − Ax)/σ_y² + ∇log p(x) = 0

Without a prior noise is blown up; Tikhonov, with a Gaussian p, rounds off edges; a learned score
knows that signals are boxes. Its prior p_σ begins smooth, and x follows as σ falls: see below.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import scorematching as sm

D, NOISE = 32, 0.02
EDGES = torch.arange(D + 1, dtype=torch.float64)
A = torch.softmax(-((EDGES[:-1:2, None] - EDGES[:-1]) ** 2) / (2 * 2.5**2), 1)  # (D/2, D), a blur
NAMES = "without a prior", "Tikhonov", "learned"


def boxes(n: int, g: torch.Generator) -> torch.Tensor:
    """Boxes of random place, width, height and sign, averaged over cells: ``(n, D)``."""
    u = torch.rand(4, n, 1, generator=g, dtype=torch.float64)
    middle, half = D * (0.2 + 0.6 * u[0]), D * (0.04 + 0.11 * u[1])
    inside = torch.minimum(torch.maximum(EDGES, middle - half), middle + half).diff(dim=1)
    return (0.5 + u[2]) * (2 * u[3] - 1).sign() * inside


def error(x: torch.Tensor, truth: torch.Tensor) -> float:
    return (x - truth).square().mean().sqrt().item()


def compute(quick: bool = False, seed: int = 0) -> dict:
    g = torch.Generator().manual_seed(seed)
    rows, truth = boxes(20_000, g), boxes(8 if quick else 100, g)
    rows = rows + 0.02 * torch.randn(rows.shape, generator=g, dtype=torch.float64)
    view = sm.inverse.Measurement(lambda x: x @ A.T, NOISE)
    y, mean, c = view.simulate(truth, g), rows.mean(0), torch.cov(rows.T)
    inverse = torch.linalg.solve(A @ c @ A.T + NOISE**2 * torch.eye(D // 2), A @ c)
    direct, tikhonov = y @ torch.linalg.pinv(A, rtol=1e-5).T, mean + (y - mean @ A.T) @ inverse
    options = {"validation_fraction": 0, "net": {"type": "ResidualMLP", "dropout": 0.0}}
    options |= {"training": {"max_steps": 20 if quick else 1500}}
    model = sm.fit(rows[:, None], configuration=options, seed=seed, quiet=True)
    score = sm.noise.DenoiserScore(model.denoiser.double(), model.process)
    signal = model.transform.inverse  # from the rows that the model works on
    view = sm.inverse.Measurement(lambda u: signal(u)[:, 0] @ A.T, NOISE)
    options = {"grid": sm.samplers.LogUniformGrid(9, 0.2, 3.0), "tolerance": 1e-4, "record": True}
    start = torch.zeros(len(y), 1, D, dtype=torch.float64)
    found = sm.inverse.map_estimate(score, model.process, y, view, start, **options)
    path = torch.stack([signal(u)[:, 0] for u in found.trajectory[1:]])
    results = dict(zip(NAMES, (direct, tikhonov, path[-1]), strict=True))
    errors = {f"error, {name}": error(x, truth) for name, x in results.items()}
    return {**results, **errors, "truth": truth, "y": y, "path": path, "levels": found.levels}


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, axes = plt.subplots(2, 3, figsize=(14, 7.6))
    x = EDGES[:-1] + 0.5
    for k, panel in zip((6, 7, 1), axes[0], strict=True):
        panel.fill_between(x, r["truth"][k], color="0.85", step="mid", label="truth")
        panel.plot(x[::2], r["y"][k], "k.", label="y")
        for name, colour, width in zip(NAMES, ("0.8", "C0", "C1"), (1, 2, 2.5), strict=True):
            panel.step(x, r[name][k], color=colour, where="mid", linewidth=width, label=name)
        panel.set(title=f"Signal {k}", ylim=(-1.9, 1.9))
    axes[0, 2].legend(loc="upper left", fontsize=10, ncols=2, frameon=True, framealpha=1)
    for k, panel in zip((6, 7), axes[1, :2], strict=True):
        panel.fill_between(x, r["truth"][k], color="0.85", step="mid")
        for i, step in enumerate(r["path"][:, k]):
            panel.step(x, step, where="mid", color=plt.get_cmap("viridis_r")(i / 9))
        panel.set(title=f"Signal {k} as σ falls, yellow to dark")
    axes[1, 2].plot(r["levels"], [error(u, r["truth"]) for u in r["path"]], "o-", color="C1")
    axes[1, 2].axhline(r["error, Tikhonov"], color="C0")
    axes[1, 2].set(title="Error of all on the way", xlim=(3.1, 0), ylim=0, xlabel="σ")
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("recovery.png")
