"""Where implicit matching breaks: on a lattice, and at a boundary.

    J(θ) = E_p[tr ∂s_θ + ½‖s_θ‖²] = D_F(p‖p_θ) + const, if p is smooth and falls to zero at the edge

Rows rounded to halves have no density. Let the model have a bump of width h on each value: J falls
as −1/h², without end. Denoising compares it with the bumps of width σ that noise makes of the rows,
and is least at h = σ. Of x ~ N(μ, 1) only x > 0 is seen: J lacks p(0) s_θ(0), and is least at the
mean of what is seen, μ + φ(μ)/Φ(μ). A weight w that is zero at 0 mends it: E[½ w s_θ² + (w s_θ)′].
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import norm

import scorematching as sm

STEP, SIGMA = 0.5, 0.25


@torch.no_grad()
def compute(quick: bool = False, seed: int = 0) -> dict:
    n, rng = 2_000 if quick else 50_000, torch.Generator().manual_seed
    x = torch.randn(n, 1, generator=rng(seed), dtype=torch.float64)
    rounded = STEP * (x / STEP).round()
    values, counts = rounded.unique(return_counts=True)
    shares = counts.double() / n
    widths, losses = np.geomspace(1 / 16, 1, 65), np.zeros((3, 65))
    for k, h in enumerate(widths):
        covariances = torch.full((len(values), 1, 1), h**2, dtype=torch.float64)
        score = sm.densities.GaussianMixture(shares, values[:, None], covariances).score
        losses[:2, k] = sm.ism(score, x).mean(), sm.ism(score, rounded).mean()
        losses[2, k] = sm.dsm(score, rounded, SIGMA, 4, rng(seed + 1)).mean() - 1 / (2 * SIGMA**2)
    means, generator = np.linspace(-1, 2, 7), rng(seed + 3)
    seen = [sm.families.TruncatedNormal(mu, 1, 0, np.inf).sample(n, generator) for mu in means]
    domains = sm.domains.Euclidean(1), sm.domains.PositiveOrthant(1)
    estimates, errors = np.zeros((2, 2, 7))
    for j, k in np.ndindex(2, 7):
        fit = sm.estimate(sm.families.Gaussian(1), seen[k], domain=domains[j], fixed={"K[1,1]": 1})
        estimates[j, k], errors[j, k] = fit.model.location, fit.std_errors[1]
    return {
        "values": values.numpy(), "shares": shares.numpy(), "widths": widths, "losses": losses,
        "best_width": widths[losses[2].argmin()], "means": means, "seen": seen[2][:, 0].numpy(),
        "estimates": estimates, "errors": errors, "plain_at_zero": estimates[0, 2],
        "weighted_at_zero": estimates[1, 2],
    }  # fmt: skip


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, ((lattice, loss), (seen, line)) = plt.subplots(2, 2, figsize=(13, 8))
    lattice.bar(r["values"], r["shares"] / STEP, STEP, color="0.85")
    u = np.linspace(-3.4, 3.4, 800)
    for h, colour in ((0.08, "C1"), (SIGMA, "C2")):
        p = norm.pdf(u[:, None], r["values"], h) @ r["shares"]
        lattice.plot(u, p, color=colour, label=f"h = {h}")
    lattice.set(title="Rounded rows, models of bumps", xlabel="x", yticks=[], xlim=(-3.6, 3.6))
    labels = ["implicit, rows not rounded", "implicit, rounded", "denoising, rounded"]
    loss.semilogx(r["widths"], r["losses"].T, label=labels)
    loss.plot(r["best_width"], r["losses"][2].min(), "o", color="C2")
    loss.set(title="Loss of these models: one runs to −∞", ylim=(-4, 2), xlabel="width h")
    loss.set_xticks([0.1, SIGMA, 1], ["0.1", "σ", "1"])
    seen.hist(r["seen"], 50, density=True, color="0.85")
    seen.set(title="N(0, 1) seen on x > 0", xlabel="x", yticks=[], xlim=(0, 3.4))
    line.set(title="Estimates of μ, ± 2 standard errors", xlabel="true μ")
    v, m = u[u > 0], np.linspace(-1.2, 2.2, 100)
    for j, (name, limit) in enumerate((("plain", m + norm.pdf(m) / norm.cdf(m)), ("weighted", m))):
        mu, style = r["estimates"][j, 2], {"color": f"C{j + 1}", "label": name}
        seen.plot(v, norm.pdf(v, mu) / norm.cdf(mu), color=f"C{j + 1}", label=f"{name}: {mu:.2f}")
        line.errorbar(r["means"], r["estimates"][j], 2 * r["errors"][j], fmt="o", **style)
        line.plot(m, limit, color=f"C{j + 1}", linewidth=1)
    for axes in figure.axes:
        axes.legend()
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("breakdown.png")
