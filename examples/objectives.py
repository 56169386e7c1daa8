"""One data set, four objectives: the same field each time, at different cost in variance.

    rows y = x + σz:  explicit ½‖s_θ − s‖²,  implicit tr ∂s_θ + ½‖s_θ‖²,  sliced vᵀ∂s_θv + ½‖s_θ‖²
    rows x:  denoising ½‖s_θ(x + σz) + z/σ‖², averaged over draws of z

The y are three Gaussians N(m_k, υI). In s_θ(y) = Σ r_k(y) a_k + By the responsibilities r_k are
known; every loss is quadratic in θ = (a, B), the truth is (m, −I)/υ. Look at the variance that
slices and noise add, and at slices along x alone, a singular law: they see half of the field.
"""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch.autograd.functional import hessian, jacobian

import scorematching as sm

SIGMA, V, EYE = 0.4, 0.4, torch.eye(2).double()
MEANS = torch.tensor([[-1.6, -1.0], [1.6, -1.0], [0.0, 1.6]]).double()
MIXTURE = lambda v: sm.densities.GaussianMixture(torch.ones(3) / 3, MEANS, v * EYE.repeat(3, 1, 1))
OBJECTIVES = {
    "explicit": lambda s, x, y, g: sm.esm(s, y, MIXTURE(V).score),
    "implicit": lambda s, x, y, g: sm.ism(s, y),
    "sliced": lambda s, x, y, g: sm.ssm(s, y, generator=g),
    **{f"denoising × {k}": lambda s, x, y, g, k=k: sm.dsm(s, x, SIGMA, k, g) for k in (1, 4, 16)},
    "sliced along x": lambda s, x, y, g: sm.ssm(s, y, 1, False, lambda *_: EYE[:1].expand_as(y), g),
}


def score(theta: torch.Tensor, y: torch.Tensor) -> torch.Tensor:  # θ (2, 5), or one for each row
    r = (-(torch.cdist(y, MEANS) ** 2) / (2 * V)).softmax(1)
    return (theta @ torch.cat([r, y], 1)[:, :, None])[:, :, 0]


def compute(quick: bool = False, seed: int = 0) -> dict:
    sizes, repeats = torch.tensor([500, 4000] if quick else [500, 2000, 8000]), 8 if quick else 30
    rng = torch.Generator().manual_seed
    x = MIXTURE(V - SIGMA**2).sample(repeats * sizes[-1], rng(seed))
    y = x + SIGMA * torch.randn(x.shape, generator=rng(seed + 1), dtype=x.dtype)
    truth = torch.cat([MEANS.mT, -EYE], 1) / V
    r = {"sizes": sizes, "rows": y[:150], "truth": score(truth, y[:150])}
    for name, objective in OBJECTIVES.items():
        t = truth.repeat(len(x), 1, 1).requires_grad_()  # a θ a row, for the gradient of each row
        loss = objective(partial(score, t), x, y, rng(seed + 2))
        variances = loss.var().item(), torch.autograd.grad(loss.sum(), t)[0].var(0).sum().item()
        fits = torch.zeros(len(sizes), repeats, 2, 5).double()
        for j, n in enumerate(sizes.tolist()):
            for k, part in enumerate(zip(x[: repeats * n].split(n), y.split(n), strict=False)):
                mean = lambda t: objective(partial(score, t), *part, rng(seed + 3 + k)).mean()
                h, g = hessian(mean, fits[j, k]).view(10, 10), jacobian(mean, fits[j, k]).flatten()
                fits[j, k] -= (torch.linalg.pinv(h) @ g).view(2, 5)
        error = (fits - truth).square().sum((2, 3)).mean(1).sqrt() / truth.norm()
        r[name] = {"variances": variances, "errors": error, "field": score(fits[-1, 0], y[:150])}
        if name not in ("explicit", "sliced along x"):  # no error, and one that stays
            r[f"slope {name}"] = float((error[-1] / error[0]).log() / (sizes[-1] / sizes[0]).log())
    return r


def draw(r: dict) -> plt.Figure:
    plt.style.use(Path(__file__).with_name("slides.mplstyle"))
    top, bottom = plt.figure(figsize=(15, 7.5)).subfigures(2, 1, height_ratios=(1, 1.3))
    bars, lines = bottom.subplots(1, 2)
    for name, axes in top.subplot_mosaic([[*OBJECTIVES][:4] + [*OBJECTIVES][-1:]]).items():
        axes.quiver(*r["rows"].T, *r["truth"].T, color="0.75", width=0.02, scale=40)
        axes.quiver(*r["rows"].T, *r[name]["field"].T, color="C0", width=0.007, scale=40)
        axes.set(title=name, xticks=[], yticks=[], aspect="equal")
    for j, name in enumerate(OBJECTIVES):
        bars.barh([0.2 - j, -0.2 - j], r[name]["variances"], 0.4, color=[f"C{j}", (f"C{j}", 0.5)])
        lines.loglog(r["sizes"], r[name]["errors"], "o-", color=f"C{j}")
    bars.set_title("Variance of a row's loss (dark) and of its gradient (light)")
    bars.set_yticks(range(0, -7, -1), OBJECTIVES)
    lines.loglog(r["sizes"], 2 * r["sizes"] ** -0.5, ":", color="0.5")
    lines.set(title="Error of θ (dots: n$^{−½}$)", xlabel="n", ylim=(0.01, 1), xlim=(300, 12000))
    return top.figure


if __name__ == "__main__":
    draw(compute()).savefig("objectives.png")
