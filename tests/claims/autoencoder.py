"""Claims about denoising autoencoders, ½‖r(x + σz) − x‖², and the tied one with an energy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from claims import truths
from claims.claim import Claim, Outcome, argmin, average, equal
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN
from scorematching.calculus import Exact, from_energy
from scorematching.nets import TiedAutoencoder
from scorematching.objectives import ReconstructionScore, ScoreReconstruction, dae, dsm, ism
from scorematching.random import seeded

NAME = "dae"
ROWS = 40_000
SIGMA = 0.6


def network(sigma: float, d: int = 3, n_hidden: int = 4) -> TiedAutoencoder:
    """A tied autoencoder with weights of order one."""
    net = TiedAutoencoder(d, n_hidden, sigma).double()
    generator = seeded("claims", NAME, "network", d, n_hidden)
    with torch.no_grad():
        for parameter in net.parameters():
            draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(draw)
    return net


def rows() -> Tensor:
    return GAUSSIAN.sample(500, seeded("claims", NAME, "rows"))


def against_denoising() -> Outcome:
    """Row by row σ⁴ times the denoising loss of (r(x̃) − x̃)/σ², σ per row."""
    x, width = rows(), torch.linspace(0.2, 2.0, 500, dtype=torch.float64)
    score = OTHER_GAUSSIAN.score
    rebuilt = dae(ScoreReconstruction(score, width), x, width, 3, seeded(NAME))
    return equal(rebuilt, width**4 * dsm(score, x, width, 3, seeded(NAME)))


def there_and_back() -> Outcome:
    x = rows()
    net = network(SIGMA)
    back = ScoreReconstruction(ReconstructionScore(net, SIGMA), SIGMA)
    return equal(back(x), net(x))


def score_of_the_noised_mixture() -> Outcome:
    """The posterior mean as a reconstruction has the score of the noised density."""
    x, _ = MIXTURE.nodes(6.0, 0.5)
    score = ReconstructionScore(lambda x: MIXTURE.library().denoise(x, SIGMA), SIGMA)
    return equal(score(x), MIXTURE.noised(SIGMA).score(x))


def mean_linear() -> Outcome:
    """r(x̃) = m + B(x̃ − m): ½ tr[(B − I)Σ(B − I)ᵀ] + ½‖(B − I)(μ − m)‖² + ½σ² tr BBᵀ."""
    generator = seeded("claims", NAME, "mean")
    b, m = OTHER_GAUSSIAN.covariance / 2, OTHER_GAUSSIAN.mean
    less = b - torch.eye(3, dtype=b.dtype)
    gap = less @ (GAUSSIAN.mean - m)
    expected = (less @ GAUSSIAN.covariance @ less.T).trace() + gap @ gap
    expected = (expected + SIGMA**2 * (b @ b.T).trace()) / 2
    data = GAUSSIAN.sample(ROWS, generator)
    return average(dae(lambda x: m + (x - m) @ b.T, data, SIGMA, 2, generator), expected)


def argmin_shrinkage() -> Outcome:
    """r = x̃ + aσ² s_σ(x̃), s_σ the score of the noised mixture: least at a = 1."""
    generator = seeded("claims", NAME, "argmin")
    data = MIXTURE.sample(ROWS, generator)
    state, noised = generator.get_state(), MIXTURE.noised(SIGMA)

    def losses(a: Tensor) -> Tensor:
        generator.set_state(state)
        return dae(lambda x: x + a * SIGMA**2 * noised.score(x), data, SIGMA, 1, generator)

    return argmin(*(truths.row_derivatives(losses, a) for a in (0.7, 1.0, 1.4)))


def tied_score_is_of_the_energy() -> Outcome:
    net, x = network(SIGMA), rows()
    return equal(ReconstructionScore(net, SIGMA)(x).detach(), from_energy(net.energy)(x).detach())


def tied_implicit_is_of_the_energy() -> Outcome:
    """½‖∇E‖² − ΔE by hand: ΔE = [d − Σⱼ ‖wⱼ‖² h(1 − h)]/σ², h = sigmoid(Wx + b)."""
    net, x = network(SIGMA), rows()
    h = torch.sigmoid(net.encoder(x))
    w = net.encoder.weight
    gradient = (x - net.offset - h @ w) / SIGMA**2
    laplacian = (3 - (h * (1 - h)) @ (w**2).sum(1)) / SIGMA**2
    expected = (gradient**2).sum(1) / 2 - laplacian
    return equal(ism(from_energy(net.energy), x, Exact()).detach(), expected.detach())


def tied_density_is_a_mixture() -> Outcome:
    """For σ = 1: −E = ln Σ_h exp(bᵀh + ½‖m_h‖² − ½‖x − m_h‖²), m_h = c + Wᵀh, h ∈ {0, 1}⁴."""
    net, x = network(1.0), rows()
    w, b, c = net.encoder.weight, net.encoder.bias, net.offset
    parts = []
    for bits in itertools.product((0.0, 1.0), repeat=4):
        h = truths.tensor(bits)
        mean = c + h @ w
        parts.append(h @ b + (mean @ mean) / 2 - ((x - mean) ** 2).sum(1) / 2)
    expected = torch.logsumexp(torch.stack(parts), 0)
    return equal(-net.energy(x).detach(), expected.detach())


def untied_has_no_energy() -> Outcome:
    """With another decoder V the Jacobian of r is not symmetric, so the field is no gradient."""
    net, x = network(SIGMA), rows()[:1]
    other = network(SIGMA + 1, 3, 5).encoder.weight[:4]

    def asymmetry(decoder: Tensor) -> float:
        row = x.clone().requires_grad_()
        rebuilt = (torch.sigmoid(net.encoder(row)) @ decoder)[0]
        rows = [torch.autograd.grad(each, row, retain_graph=True)[0][0] for each in rebuilt]
        jacobian = torch.stack(rows)
        return ((jacobian - jacobian.T).norm() / jacobian.norm()).item()

    tied, untied = asymmetry(net.encoder.weight), asymmetry(other)
    holds = tied < 1e-12 and untied > 0.1
    return Outcome("0, > 0.1", f"{0 if tied < 1e-12 else tied:.2g}, {untied:.2g}", "—", holds)


def claims() -> Iterator[Claim]:
    yield Claim(
        NAME,
        "each row is σ⁴ times `dsm` of (r(x̃) − x̃)/σ², σ per row",
        "σ⁴ ½‖s + z/σ‖²",
        against_denoising,
    )
    yield Claim(NAME, "reconstruction → score → reconstruction", "r", there_and_back)
    yield Claim(
        NAME,
        "the posterior mean has the score of the noised density, mixture",
        "∇ log p_σ",
        score_of_the_noised_mixture,
    )
    yield Claim(
        NAME,
        "its mean, r(x̃) = m + B(x̃ − m), Gaussian",
        "½ tr[(B−I)Σ(B−I)ᵀ] + ½‖(B−I)(μ−m)‖² + ½σ² tr BBᵀ",
        mean_linear,
    )
    yield Claim(
        NAME,
        "least at the posterior mean, step × a, mixture",
        "d/da at a = 0.7, 1, 1.4",
        argmin_shrinkage,
    )
    yield Claim(
        NAME,
        "tied weights: (r(x) − x)/σ² is the score of the energy",
        "−∇E, E = [½‖x‖² − cᵀx − Σ softplus(wⱼᵀx + bⱼ)]/σ²",
        tied_score_is_of_the_energy,
    )
    yield Claim(
        NAME,
        "tied weights: implicit loss of the energy",
        "½‖∇E‖² − ΔE by hand",
        tied_implicit_is_of_the_energy,
    )
    yield Claim(
        NAME,
        "tied weights, σ = 1: e^{−E} is a mixture of 2ʰ Gaussians",
        "ln Σ_h exp(bᵀh + ½‖c + Wᵀh‖² − ½‖x − c − Wᵀh‖²)",
        tied_density_is_a_mixture,
    )
    yield Claim(
        NAME,
        "control: with another decoder the field is no gradient",
        "‖J − Jᵀ‖/‖J‖, tied and untied",
        untied_has_no_energy,
    )
