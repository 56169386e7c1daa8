"""Langevin: x ← x + η s(x) + √(2η) z makes samples of p from its score s = ∇ log p alone.

Three ways to go wrong. Each particle stays in the mode that it finds first, so that modes get the
shares of the starts; annealed, from much noise to little, each gets its own. A learned score is
wrong where there were no data. And steps have a bias: the variance on N(0, 1) is 1/(1 − η/2).
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import scorematching as sm

SHARES, CENTRES = torch.tensor([0.2, 0.8]), torch.tensor([[-5.0, -5.0], [5.0, 5.0]])
MODES = sm.densities.GaussianMixture(SHARES, CENTRES, torch.eye(2).expand(2, 2, 2))
AXIS, ETAS = torch.linspace(-8, 8, 81), [k / 10 for k in range(1, 15)]
PLANE = torch.cartesian_prod(AXIS, AXIS)


def learned(n_steps: int, g: torch.Generator) -> torch.nn.Module:
    """A small network, fitted to 10,000 rows by implicit score matching."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 128), torch.nn.Tanh(), torch.nn.Linear(128, 2))
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5, generator=g)
    rows, adam = MODES.sample(10_000, g), torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(n_steps):
        adam.zero_grad()
        sm.ism(net, rows[torch.randint(10_000, (256,), generator=g)]).mean().backward()
        adam.step()
    return net.requires_grad_(False)


def compute(quick: bool = False, seed: int = 0) -> dict:
    n, n_each, n_steps = (1_000, 10, 100) if quick else (10_000, 30, 4_000)
    g, ula = torch.Generator().manual_seed(seed), sm.samplers.ula
    square = 16 * torch.rand(n, 2, generator=g) - 8  # where the particles start
    three = ula(MODES.score, square[:3], 0.02, 400, generator=g, record_every=1).trajectory
    plain = ula(MODES.score, square, 0.02, 1_000, generator=g, record_every=10).trajectory
    advice = sm.noise.advise(MODES.sample(2_000, g), sigma_min=0.2, n_steps_each=n_each)
    noisy, start = MODES.noisy_score(advice.ladder), square * advice.sigma_max / 8
    options = {**advice.langevin, "generator": g, "record_every": n_each}
    annealed = sm.samplers.annealed_langevin(noisy, advice.ladder, start, **options).trajectory
    walks = {"plain": plain, "annealed": annealed}  # (record, particle, 2)
    shares = {name: (x.sum(2) < 0).double().mean(1) for name, x in walks.items()}
    net, rows = learned(n_steps, g), MODES.sample(n, g)
    errors, at_data = ((net(x) - MODES.score(x)).norm(dim=1) for x in (PLANE, rows))
    results = {"three": three, "walks": walks, "shares": shares, "errors": errors}
    results |= {"error_on_plane": errors.mean().item(), "error_at_data": at_data.mean().item()}
    chains = (ula(lambda x: -x, square, eta, 100, generator=g).x for eta in ETAS)
    results["variances"] = [x.var().item() for x in chains]
    return results | {f"share_{name}": share[-1].item() for name, share in shares.items()}


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    figure, ((three, *clouds), (error, shares, bias)) = plt.subplots(2, 3, figsize=(12, 8))
    three.plot(*r["three"].permute(2, 0, 1), "-o", markevery=[0], linewidth=0.9)
    for panel, (name, x) in zip(clouds, r["walks"].items(), strict=True):
        panel.hist2d(*x[-1].T, bins=81, range=[[-8, 8]] * 2, cmap="Blues")
        panel.set_xlabel(f"{r['shares'][name][-1]:.1%} of {len(x[0]):,} in the small mode")
        shares.plot(torch.linspace(0, 1, len(x)), r["shares"][name], label=name)
    image = error.pcolormesh(AXIS, AXIS, r["errors"].reshape(81, 81).T.log10(), cmap="cividis")
    figure.colorbar(image, cax=error.inset_axes([0, -0.1, 1, 0.05]), orientation="horizontal")
    titles = ("Three particles", "Plain", "Annealed", "log₁₀ error of a learned score")
    for panel, title in zip((three, *clouds, error), titles, strict=True):
        panel.contour(AXIS, AXIS, MODES.log_density(PLANE).reshape(81, 81), [-8, -4], colors="0.7")
        panel.set(title=title, aspect="equal", xticks=[], yticks=[])
    bias.plot(ETAS, [1 / (1 - eta / 2) for eta in ETAS], label="1/(1 − η/2)")
    bias.plot(ETAS, r["variances"], "o", label="chains")
    for panel, truth in ((shares, SHARES[0]), (bias, 1)):
        panel.axhline(truth, color="k", linestyle=":", label="truth")
        panel.legend()
    shares.set(title="Share of the small mode", xlabel="part of the run", ylim=(0, 0.6))
    bias.set(title="Variance on N(0, 1)", xlabel="step size η", ylim=(0, 4))
    return figure


if __name__ == "__main__":
    draw(compute()).savefig("langevin.png")
