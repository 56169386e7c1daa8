"""Noise levels: the density of x_t = α(t) x + σ(t) z is a convolution, that of α x with N(0, σ²).

What do four processes do to a density f, and how does fading it into g = N(0, 1) differ, the
homotopy (1 − t) f + t g? Convolving moves every row; mixing replaces one row after the other, and
the modes stay where they were. Both keep mean and variance of this f, so look at the cumulant.
"""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import scorematching as sm

A = math.sqrt(0.455)  # f has mean 0, variance 2 A² + 0.09 = 1 and fourth cumulant −6 A⁴
WEIGHTS, CENTRES = torch.tensor([1 / 3, 2 / 3]).double(), torch.tensor([[-2 * A], [A]]).double()
F = sm.densities.GaussianMixture(WEIGHTS, CENTRES, CENTRES.new_full((2, 1, 1), 0.09))
PLACES = torch.tensor([[-1.6, -0.9], [1.9, -0.6], [0.0, 1.7]])
CLOUD = sm.densities.GaussianMixture(
    torch.full((3,), 1 / 3), PLACES, torch.eye(2).expand(3, 2, 2) / 9
)
PROCESSES = {"variance exploding": sm.noise.VE(0.02, 3), "variance preserving": sm.noise.VP()}
PROCESSES |= {"straight line": sm.noise.StraightLine(), "square root": sm.noise.SquareRoot()}
X, U = (torch.linspace(-b, b, n, dtype=torch.float64) for b, n in ((10, 501), (4, 1601)))
PLANE = torch.cartesian_prod(*torch.linspace(-3.3, 3.3, 14).expand(2, 14))


def normal(x: torch.Tensor, variance: torch.Tensor | float) -> torch.Tensor:
    return torch.exp(-(x**2) / variance / 2) / (2 * math.pi * variance) ** 0.5


def compute(quick: bool = False, seed: int = 0) -> dict:
    t = torch.linspace(0.01, 0.99, 15 if quick else 99, dtype=torch.float64)[:, None]
    x = torch.tensor([-1.6, -1.2, 0.3, 0.5, 0.8, 1.0])  # six rows, and the noise of each
    z = torch.randn(6, generator=torch.Generator().manual_seed(seed))
    f = F.log_density(U[:, None]).exp()
    densities, convolved, paths = {}, {}, {}
    for name, process in PROCESSES.items():
        noised = (F.noised(process, s).log_density(X[:, None]) for s in t[:, 0])
        densities[name] = torch.stack(list(noised)).exp()
        kernels = (normal(X[:, None] - process.alpha(s) * U, process.sigma(s) ** 2) for s in t)
        convolved[name] = torch.stack([torch.trapezoid(f * kernel, U) for kernel in kernels])
        paths[name] = process.alpha(t) * x + process.sigma(t) * z
    difference = max((densities[name] - p).abs().max().item() for name, p in convolved.items())
    densities["mixing"] = (1 - t) * F.log_density(X[:, None]).exp() + t * normal(X, 1.0)
    paths["mixing"] = torch.where(t < torch.tensor([0.5, 0.8, 0.65, 0.3, 0.4, 0.2]), x, z)
    cumulants = {name: torch.trapezoid(X**4 * p, X) - 3 for name, p in densities.items()}
    fields = {s: CLOUD.noised(sm.noise.EDM(), s).score(PLANE) for s in (0.2, 1.0, 3.0)}
    results = {"t": t[:, 0], "densities": densities, "convolved": convolved, "paths": paths}
    return results | {"cumulants": cumulants, "fields": fields, "difference": difference}


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, (above, (half, cumulant, *fields)) = plt.subplots(2, 5, figsize=(13.5, 6.2))
    t, half_way = r["t"], len(r["t"]) // 2
    for panel, (name, p) in zip(above, r["densities"].items(), strict=True):
        panel.contourf(t, X, p.T, torch.linspace(0, 0.9, 19), extend="max")
        panel.plot(t, r["paths"][name], linewidth=1.2)
        panel.set(title=name, xlabel="t", xlim=(0, 1), ylim=(-3.5, 3.5), yticks=(-2, 0, 2))
    for name in ("square root", "mixing"):
        half.plot(X, r["densities"][name][half_way], label=name)
        cumulant.plot(t, r["cumulants"][name])
    numerical = r["convolved"]["square root"][half_way]
    half.plot(X[::10], numerical[::10], "k.", markersize=5, label="by quadrature")
    half.set(title="t = ½", xlabel="x", xlim=(-3.5, 3.5), ylim=(0, 1.1))
    half.legend(loc="upper left", fontsize=11)
    cumulant.set(title="fourth cumulant", xlabel="t", xlim=(0, 1))
    for panel, (sigma, s) in zip(fields, r["fields"].items(), strict=True):
        size = s.norm(dim=1, keepdim=True)
        panel.quiver(*PLANE.T, *(s / size.sqrt()).T, size, cmap="viridis", width=0.008)
        panel.set(title=f"score, σ = {sigma:g}", aspect="equal", xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("noise.png")
