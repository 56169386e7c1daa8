"""A potential and its score: what implicit score matching weighs up.

    p(x) = e^{−φ(x)}/Z,   Z = ∫ e^{−φ},   s(x) = ∇ log p(x) = −∇φ(x)

A constant added to φ changes Z, neither p nor s: a model is learned without its Z. The implicit
objective J = E_p[½‖∇φ_θ‖² − Δφ_θ] wants it flat at the data, and curved upwards. Of the models κφ
the truth is κ = 1, and J = I (κ²/2 − κ), where I = E‖∇φ‖² = E Δφ by parts. Look on the right:
−Δφ pulls the model sharp, ½‖∇φ‖² holds it back, and where they balance is the truth.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch

import scorematching as sm


def potential(x: torch.Tensor, kappa: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    """Two wells of depth 1, at ±√2; x ``(n, 1)`` → ``(n,)``."""
    return kappa * (x**4 / 4 - x**2).sum(1) + shift


class Results(NamedTuple):
    x: np.ndarray
    potentials: np.ndarray  # (2, m): φ and φ + 1.5; so are densities and scores
    partitions: np.ndarray
    densities: np.ndarray
    scores: np.ndarray
    kappas: np.ndarray
    terms: np.ndarray  # (3, k): means over the data of ½‖∇φ_κ‖² and −Δφ_κ, and their sum
    information: float  # I = E Δφ, by quadrature
    best_kappa: float  # where the sum is least


@torch.no_grad()
def compute(quick: bool = False, seed: int = 0) -> Results:
    x = torch.linspace(-4, 4, 2001, dtype=torch.float64)[:, None]
    phi = torch.stack([potential(x, shift=c) for c in (0, 1.5)])
    z = torch.trapezoid((-phi).exp(), x[:, 0])
    p = (-phi).exp() / z[:, None]
    s = [sm.from_energy(lambda x, c=c: potential(x, shift=c))(x)[:, 0] for c in (0, 1.5)]
    information = torch.trapezoid(p[0] * (3 * x[:, 0] ** 2 - 2), x[:, 0]).item()
    u = np.random.default_rng(seed).random(4_000 if quick else 100_000)
    data = torch.from_numpy(np.interp(u, p[0].cumsum(0) / p[0].sum(), x[:, 0]))[:, None]
    kappas, terms = np.linspace(0, 2.2, 12), np.zeros((3, 12))
    for k, kappa in enumerate(kappas):
        score = sm.from_energy(lambda x, kappa=kappa: potential(x, kappa=kappa))
        divergence, loss = sm.divergence(score, data).mean(), sm.ism(score, data).mean()
        terms[:, k] = loss - divergence, divergence, loss
    best = np.polynomial.Polynomial.fit(kappas, terms[2], 2).deriv().roots().item()
    arrays = map(torch.Tensor.numpy, (x[:, 0], phi, z, p, torch.stack(s)))
    return Results(*arrays, kappas, terms, information, best)


def draw(r: Results) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.8))
    for k, (name, dashes) in enumerate((("φ", "-"), ("φ + 1.5", (0, (3, 3))))):
        left.plot(r.x, r.potentials[k], label=f"{name},  Z = {r.partitions[k]:.2f}")
        middle.fill_between(r.x, 4 * r.densities[k], color=f"C{k}", alpha=0.25, linewidth=0)
        middle.plot(r.x, r.scores[k], color=f"C{k}", linestyle=dashes)
    left.set(title="The constant shifts φ and scales Z …", xlim=(-2.7, 2.7), ylim=(-1.4, 4.8))
    left.legend(loc="upper center")
    middle.set(title="… not p (filled, × 4), nor ∇ log p", xlim=(-2.7, 2.7), ylim=(-3, 3))
    k = np.linspace(0, 2.2, 200)
    curves = r.information * np.array([k**2 / 2, -k, k**2 / 2 - k])
    for j, name in enumerate(("E ½‖∇φ$_κ$‖²", "−E Δφ$_κ$", "J, their sum")):
        right.plot(k, curves[j], color=f"C{j + 2}")
        right.plot(r.kappas, r.terms[j], "o", color=f"C{j + 2}", markersize=6, label=name)
    right.set(title="Sharper models φ$_κ$ = κφ: J is least at κ = 1", xlabel="κ")
    right.axvline(1, color="0.7", linewidth=1, zorder=0)
    right.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("potentials.png")
