"""A denoising autoencoder r, fitted to rebuild x from x + σz, projects onto where the data lie.

The best one is E[x | x̃] = x̃ + σ² ∇ log p_σ(x̃), so that its arrows r(x̃) − x̃ are σ² times the score.
With tied weights, r(x) = c + Wᵀ sigmoid(W x + b), they go down an energy in closed form. And one
autoencoder a noise level, from much noise to little, is a chain that makes new rows from noise.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

import scorematching as sm

U = torch.linspace(-1, 1, 200)
CURVE = torch.stack([12 * U, 5 * torch.sin(3 * U)], 1)  # in units of the noise, σ = 1
THIN = 0.01 * torch.eye(2).expand(200, 2, 2)
DATA = sm.densities.GaussianMixture(torch.full((200,), 1 / 200), CURVE, THIN)
AXES = torch.linspace(-15, 15, 91), torch.linspace(-9, 9, 55)


def trained(rows: Tensor, n_steps: int, g: torch.Generator) -> sm.nets.TiedAutoencoder:
    """An autoencoder of rows in units of the noise; the units start with their kinks at rows."""
    net = sm.nets.TiedAutoencoder(2, 128, sigma=1.0)
    weight = torch.nn.init.normal_(net.encoder.weight, std=0.5, generator=g)
    net.encoder.bias.data = -(weight * rows[:128]).sum(1).detach()
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, n_steps)
    for batch in rows[torch.randint(len(rows), (n_steps, 256), generator=g)]:
        adam.zero_grad()
        sm.dae(net, batch, 1.0, generator=g).mean().backward()
        adam.step()
        decay.step()
    return net.requires_grad_(False)


def compute(quick: bool = False, seed: int = 0) -> dict:
    n, n_levels, n_steps = (1_000, 6, 150) if quick else (10_000, 11, 1_000)
    g, ladder = torch.Generator().manual_seed(seed), sm.noise.Ladder.geometric(0.5, 16, n_levels)
    rows, levels = DATA.sample(n, g), ladder.levels
    nets = [trained(rows / sigma, n_steps, g) for sigma in levels]

    def score(x: Tensor, t: Tensor) -> Tensor:
        net, sigma = nets[int(t)], levels[int(t)]
        return (sigma * net(x / sigma) - x) / sigma**2

    start = sm.samplers.prior_sample(n, ladder, rows.mean(0), rows.T.cov(), generator=g)
    options = {"step": sm.samplers.DDIM(1.0), "generator": g, "record_every": 1}
    walk = sm.samplers.reverse_sde(score, ladder, start, sm.samplers.LadderGrid(), **options)
    net, noised = nets[n_levels // 5], rows + torch.randn(n, 2, generator=g)  # σ = 1
    found, best = net(noised), DATA.denoise(noised, 1.0)
    r = {"net": net, "rows": rows, "noised": noised, "found": found, "best": best, "made": walk.x}
    for k in ("noised", "found", "best", "made"):
        r[f"away_{k}"] = torch.cdist(r[k], CURVE).amin(1).mean().item()
    r |= {f"loss_{k}": (r[k] - rows).square().sum(1).mean().item() / 2 for k in ("found", "best")}
    chain = {16: start, levels[(n_levels - 1) // 2]: walk.trajectory[n_levels // 2], 0: walk.x}
    return r | {"chain": chain}


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, ((arrows, *energies), chain) = plt.subplots(2, 3, figsize=(11.5, 6.3))
    plane, coarse = torch.cartesian_prod(*AXES), torch.cartesian_prod(AXES[0][::4], AXES[1][::4])
    arrows.plot(*r["rows"][:500].T, ".", markersize=2, color="C1")
    arrows.quiver(*coarse.T, *(r["net"](coarse) - coarse).T, angles="xy", scale_units="xy", scale=1)
    truth = -DATA.noised(sm.noise.EDM(), 1.0).log_density(plane)
    for panel, energy in zip(energies, (r["net"].energy(plane), truth), strict=True):
        panel.contourf(*AXES, (energy - energy.min()).reshape(91, 55).T, range(21), cmap="Blues_r")
    for panel, (sigma, x) in zip(chain, r["chain"].items(), strict=True):
        panel.plot(*x[:2_000].T, ".", markersize=2)
        panel.set_title(f"chain at σ = {sigma:.2g}" if sigma else "end of the chain")
    titles = "r(x) − x at σ = 1", "energy of the autoencoder", "−log p$_σ$ in truth"
    for panel, title in zip((arrows, *energies), titles, strict=True):
        panel.set_title(title)
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("autoencoder.png")
