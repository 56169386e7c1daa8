"""KL and Fisher: noise takes the divergence of two densities away, at the rate of their gap.

    x_t = x + √t z:   d/dt KL(p_t‖q_t) = −D_F(p_t‖q_t) = −E_{p_t} ½‖∇log p_t − ∇log q_t‖²

At t = ∞ nothing tells p_t from q_t, so KL(p‖q) = ∫₀^∞ D_F(p_t‖q_t) dt, which in σ = √t is the area
∫ 2σ² D_F d ln σ on the right: from scores alone, though they know no constants.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch

import scorematching as sm


def mixture(*components: tuple[float, float, float]) -> sm.densities.GaussianMixture:
    weights, means, variances = torch.tensor(components, dtype=torch.float64).T
    return sm.densities.GaussianMixture(weights, means[:, None], variances[:, None, None])


GAUSSIANS = mixture((1, 0, 1)), mixture((1, 0.8, 0.4))
MIXTURES = mixture((0.3, -1.5, 0.1), (0.7, 1, 0.3)), mixture((0.6, -1, 0.3), (0.4, 1.2, 0.2))
T, X = np.logspace(-4, 4, 81), torch.linspace(-4, 4, 401, dtype=torch.float64)


class Pair(NamedTuple):
    densities: np.ndarray  # (3, 2, 401): p_t and q_t on X at t = 0, ¼, 4
    slopes: np.ndarray  # −d/dt KL(p_t‖q_t) at t in T, by differences of quadratures
    estimate: sm.information.NoiseIntegral


def log_density(density: sm.densities.GaussianMixture, x: torch.Tensor, t: float) -> torch.Tensor:
    return density.diffused_log_density(x[:, None], torch.ones_like(x), torch.full_like(x, t**0.5))


def kl(pair: tuple, t: float) -> float:
    x = 8 * (1 + t) ** 0.5 * torch.linspace(-1, 1, 2001, dtype=torch.float64)
    p, q = (log_density(each, x, t) for each in pair)
    return torch.trapezoid(p.exp() * (p - q), x).item()


def compute(quick: bool = False, seed: int = 0) -> dict[str, Pair | float]:
    process, results = sm.noise.EDM(0.01, 100.0), {}
    for name, pair in {"Gaussians": GAUSSIANS, "mixtures": MIXTURES}.items():
        g = torch.Generator().manual_seed(seed)
        rows = pair[0].sample(10_000 if quick else 200_000, g)
        p, q = (density.noisy_score(process) for density in pair)
        found = sm.kl_divergence(p, q, process, rows, generator=g)
        slopes = [(kl(pair, 0.999 * t) - kl(pair, 1.001 * t)) / (0.002 * t) for t in T]
        shown = [[log_density(f, X, t).exp().numpy() for f in pair] for t in (0, 0.25, 4)]
        results[name] = Pair(np.array(shown), np.array(slopes), found)
        results |= {f"KL of {name}": kl(pair, 0.0), f"area of {name}": found.value}
    return results


def draw(results: dict[str, Pair | float]) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, axes = plt.subplots(2, 3, figsize=(14, 7.6))
    for (left, middle, right), name in zip(axes, ("Gaussians", "mixtures"), strict=True):
        r, e, truth = results[name], results[name].estimate, results[f"KL of {name}"]
        for k in range(3):
            left.fill_between(X, r.densities[k, 0] - k, -k, color="C0", alpha=0.35, linewidth=0)
            left.plot(X, r.densities[k, 1] - k, color="C1")
        left.set(title=f"Two {name}, p$_t$ (filled) and q$_t$", xlabel="x")
        left.set_yticks([0, -1, -2], ["t = 0", "t = ¼", "t = 4"])
        middle.loglog(T, r.slopes)
        middle.loglog(e.levels**2, e.integrand / (2 * e.levels**2), "o")
        middle.set(title="−d/dt KL (line), D$_F$ (dots)", xlabel="t", xlim=(1e-4, 1e4))
        right.fill_between(T**0.5, 2 * T * r.slopes, alpha=0.25, linewidth=0)
        right.errorbar(e.levels, e.integrand, 2 * e.integrand_error, fmt=".", color="C1")
        right.set(title=f"Area {e.value:.4f} ± {e.standard_error:.4f},  KL {truth:.4f}")
        right.set(xscale="log", xlabel="σ = √t", ylabel="2σ² D$_F$", xlim=(0.01, 100), ylim=0)
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("fisher.png")
