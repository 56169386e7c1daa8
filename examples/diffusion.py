"""From noise to data: by the reverse SDE, dx = [f x − g² s] dt + g dw̄, or the probability flow.

Both need the score s = ∇ log p_t of every noise level, learned here from rows of a known density.
The flow, dx/dt = f x − ½ g² s, is smooth: run backwards it gives log p. How far is that off?
"""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

import scorematching as sm

RADIUS = torch.linspace(0.5, 2.3, 7).repeat(5)  # a pinwheel of five blades, seven Gaussians each
ANGLE = RADIUS / 2 + 2 * math.pi / 5 * torch.arange(5).repeat_interleave(7)
CENTRES = torch.stack([RADIUS * ANGLE.cos(), RADIUS * ANGLE.sin()], 1)
ROUND = 0.17**2 * torch.eye(2).expand(35, 2, 2)
PINWHEEL = sm.densities.GaussianMixture(torch.full((35,), 1 / 35), CENTRES, ROUND)
NET = {"width": 96, "n_blocks": 2, "dropout": 0.0}


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖, without bias; 0 on average for two samples of one law."""
    between, *within = (torch.cdist(a, b).sum().item() for a, b in ((x, y), (x, x), (y, y)))
    return 2 * between / len(x) ** 2 - sum(within) / (len(x) * (len(x) - 1))


def compute(quick: bool = False, seed: int = 0) -> dict:
    n, n_steps, g = 400 if quick else 2_000, 100 if quick else 1_500, torch.Generator()
    training = {"max_steps": n_steps, "n_members": 1, "average_half_life": n_steps / 10}
    rows, unseen = PINWHEEL.sample(2 * n, g.manual_seed(seed)), PINWHEEL.sample(n, g)
    fitted = sm.fit(rows, configuration={"net": NET, "training": training}, seed=seed, quiet=True)

    # The score that was learned is that of whitened rows; `transform` goes there and back.
    score, process = sm.noise.DenoiserScore(fitted.denoiser, fitted.process), fitted.process
    start = sm.samplers.prior_sample(40, process, torch.zeros(2), noise_level=3, generator=g)
    grid = sm.samplers.KarrasGrid(30 if quick else 120, sigma_min=0.02, sigma_max=3)
    sde = sm.samplers.reverse_sde(score, process, start, grid, generator=g, record_every=1)
    flow = sm.samplers.probability_flow(score, process, start, grid, record_every=1)
    walks = {"reverse SDE": sde.trajectory, "probability flow": flow.trajectory}
    paths = {k: fitted.transform.inverse(x.double().flatten(0, 1)) for k, x in walks.items()}

    axis = torch.linspace(-3.4, 3.4, 13 if quick else 49)
    plane = torch.cartesian_prod(axis, axis)
    maps = {"truth": PINWHEEL.log_density(plane), "learned": fitted.log_density(plane)}
    true, found = PINWHEEL.log_density(unseen), fitted.log_density(unseen)
    exact, end = PINWHEEL.noisy_score(process), PINWHEEL.noised(process, process.t_max)
    flowed = sm.likelihood.flow_log_density(exact, process, unseen[:100], prior=end).value
    blurred = PINWHEEL.noised(process, process.t_min).log_density(unseen[:100])
    r = {"rows": rows, "paths": paths, "axis": axis, "maps": maps, "true": true, "found": found}
    r["kl"], r["mean_error"] = (true - found).mean().item(), (true - found).abs().mean().item()
    r["flow_error"] = (flowed - blurred).abs().max().item()  # with the exact score
    r["energy_distance"] = energy_distance(fitted.sample(n, seed=seed), unseen)
    return r | {"energy_distance_of_truth": energy_distance(PINWHEEL.sample(n, g), unseen)}


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, ((rows, *walks), (*maps, against)) = plt.subplots(2, 3, figsize=(11.5, 7.6))
    rows.plot(*r["rows"][:2_000].T, ".", markersize=2)
    rows.set_title("rows of data")
    for panel, (name, x) in zip(walks, r["paths"].items(), strict=True):
        panel.plot(*x.reshape(-1, 40, 2)[:, :12].permute(2, 0, 1), linewidth=0.9)
        panel.plot(*x[-40:].T, "k.", zorder=3)
        panel.set(title=name, xlim=(-6, 6), ylim=(-6, 6))
    for panel, (name, x) in zip(maps, r["maps"].items(), strict=True):
        x = x.reshape(len(r["axis"]), -1).T
        panel.contourf(r["axis"], r["axis"], x, range(-10, 0), extend="both", cmap="Blues")
        panel.set_title(f"log-density, {name}")
    against.plot(r["true"], r["found"], ".", markersize=2)
    against.axline((-2, -2), slope=1, color="k", linestyle=":")
    against.set(xlabel="log p of new rows, truth", ylabel="learned", xlim=(-6, 0), ylim=(-6, 0))
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("diffusion.png")
