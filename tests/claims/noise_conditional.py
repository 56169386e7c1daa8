"""Claims about the noise-conditional objective, λ(t) ½‖s_θ(x_t, t) + z/σ‖²."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from claims import truths
from claims.claim import Claim, Outcome, argmin, average, equal, same
from claims.cost import CountedScore
from claims.truths import GAUSSIAN, MIXTURE, OTHER_GAUSSIAN, OTHER_MIXTURE, Normal
from scorematching.noise import EDM, VE, VP, Ladder, Process, StraightLine
from scorematching.objectives import (
    EDMWeight,
    FlowMatching,
    Likelihood,
    LogNormalTimes,
    MinSNR,
    SigmaSquared,
    UniformTimes,
    Weight,
    ncsn,
)
from scorematching.objectives.importance import ImportanceWeight, LikelihoodTimes
from scorematching.objectives.times import Times
from scorematching.random import seeded
from scorematching.typing import NoisyScore

NAME = "ncsn"
ROWS = 40_000
T = torch.float64

LADDER = Ladder((0.3, 0.7, 1.5, 4.0))
PROCESSES: dict[str, Process] = {
    "VE": VE(0.2, 5.0),
    "VP": VP(0.1, 8.0, t_min=0.05),
    "EDM": EDM(0.2, 4.0),
    "Ladder": LADDER,
    "StraightLine": StraightLine(0.05, 0.95),
}
WEIGHTS: dict[str, Weight] = {
    "σ²": SigmaSquared(),
    "likelihood g²": Likelihood(),
    "EDM": EDMWeight(0.7),
    "min-SNR": MinSNR(1.3),
    "flow matching": FlowMatching(),
}


def scales(process: Process, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """α, σ and g² written out for each process."""
    match process:
        case VE(low, high):
            sigma = low * torch.exp(t * torch.log(torch.tensor(high / low, dtype=T)))
            return torch.ones_like(t), sigma, 2 * sigma**2 * torch.log(truths.tensor(high / low))
        case VP(low, high):
            squared = torch.exp(-(low * t + (high - low) * t**2 / 2))
            return squared.sqrt(), (1 - squared).sqrt(), low + (high - low) * t
        case EDM():
            return torch.ones_like(t), t, 2 * t
        case Ladder(levels):
            log = truths.tensor(levels).log()
            low = t.floor().long().clamp(max=len(levels) - 2)
            slope = log[low + 1] - log[low]
            sigma = torch.exp(log[low] + (t - low) * slope)
            return torch.ones_like(t), sigma, 2 * sigma**2 * slope
        case StraightLine():
            return 1 - t, t, 2 * t / (1 - t)
    raise TypeError(f"no closed form for {process}")


def weigh(weight: Weight, process: Process, t: Tensor) -> Tensor:
    """λ(t) written out."""
    alpha, sigma, squared = scales(process, t)
    level = sigma / alpha
    match weight:
        case SigmaSquared():
            return sigma**2
        case Likelihood():
            return squared
        case EDMWeight(data):
            return sigma**2 * (level**2 + data**2) / data**2
        case MinSNR(gamma):
            return sigma**2 * torch.minimum(gamma * level**2, torch.ones_like(level))
        case FlowMatching():
            return squared**2 / 4
    raise TypeError(f"no closed form for {weight}")


@dataclass(frozen=True)
class DiffusedNormal:
    """a·∇ log p_t for a Gaussian p, each row at its own time."""

    normal: Normal
    process: Process
    scale: Tensor | float = 1.0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma, _ = scales(self.process, t)
        values, vectors = torch.linalg.eigh(self.normal.covariance)
        variances = (alpha**2)[:, None] * values + (sigma**2)[:, None]
        centred = (x - alpha[:, None] * self.normal.mean) @ vectors
        return -self.scale * (centred / variances) @ vectors.T


@dataclass
class Recorded:
    """A noisy score that keeps where it was asked."""

    noisy_score: NoisyScore
    asked: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.asked.append((x, t))
        return self.noisy_score(x, t)


def rows_given_noise(process: str, weight: str) -> Outcome:
    """z is read off x_t and x; the score of the mixture diffused is written out row by row."""
    chosen, generator = PROCESSES[process], seeded("claims", NAME, "rows", process, weight)
    x = MIXTURE.sample(40, generator)
    recorded = Recorded(OTHER_MIXTURE.library().noisy_score(chosen))
    measured = ncsn(recorded, x, chosen, WEIGHTS[weight], generator)
    ((noised, t),) = recorded.asked
    alpha, sigma, _ = scales(chosen, t)
    z = (noised - alpha[:, None] * x) / sigma[:, None]
    score = torch.cat(
        [
            OTHER_MIXTURE.noised(float(s), float(a)).score(row[None])
            for row, a, s in zip(noised, alpha, sigma, strict=True)
        ]
    )
    loss = ((score + z / sigma[:, None]) ** 2).sum(1) / 2
    return equal(measured, weigh(WEIGHTS[weight], chosen, t) * loss)


def expected_at(model: Normal, process: Process, weight: Weight, t: Tensor) -> Tensor:
    """λ(t) [D_F at p_t + d/(2σ²) − ½ E‖s_t‖²] of the Gaussian, one number a time."""
    alpha, sigma, _ = scales(process, t)
    values = []
    for a, s in zip(alpha.tolist(), sigma.tolist(), strict=True):
        p, q = GAUSSIAN.noised(s, a), model.noised(s, a)
        gap = q.precision @ (p.mean - q.mean)
        difference = q.precision - p.precision
        fisher = ((difference @ p.covariance @ difference).trace() + gap @ gap) / 2
        values.append(fisher + (3 / s**2 - p.precision.trace()) / 2)
    return weigh(weight, process, t) * torch.stack(values)


def over_times(process: Process) -> tuple[Tensor, Tensor]:
    """Nodes and masses of the law of t: uniform on the levels, or on [t_min, t_max]."""
    if isinstance(process, Ladder):
        levels = torch.arange(len(process.levels), dtype=T)
        return levels, torch.full_like(levels, 1 / len(levels))
    t, weight = truths.segments([process.t_min, process.t_max])
    return t, weight / weight.sum()


def mean_gaussian(process: str, weight: str) -> Outcome:
    chosen, generator = PROCESSES[process], seeded("claims", NAME, "mean", process, weight)
    t, mass = over_times(chosen)
    expected = (mass * expected_at(OTHER_GAUSSIAN, chosen, WEIGHTS[weight], t)).sum()
    model = DiffusedNormal(OTHER_GAUSSIAN, chosen)
    x = GAUSSIAN.sample(ROWS, generator)
    return average(ncsn(model, x, chosen, WEIGHTS[weight], generator), expected)


def mean_every_level(weight: str) -> Outcome:
    generator = seeded("claims", NAME, "every level", weight)
    t, _ = over_times(LADDER)
    expected = expected_at(OTHER_GAUSSIAN, LADDER, WEIGHTS[weight], t).sum()
    model = DiffusedNormal(OTHER_GAUSSIAN, LADDER)
    x = GAUSSIAN.sample(ROWS, generator)
    return average(ncsn(model, x, LADDER, WEIGHTS[weight], generator, every_level=True), expected)


def mean_log_normal() -> Outcome:
    """ln t ~ N(−0.4, 0.5²) kept within the range, by quadrature in the quantile."""
    generator = seeded("claims", NAME, "log-normal")
    process, weight = EDM(0.05, 20.0), EDMWeight(0.7)
    y, step = truths.segments([-6.0, -3.0, -1.0, 1.0, 3.0, 6.0])
    mass = step * torch.exp(-(y**2) / 2) / (2 * torch.pi) ** 0.5
    t = torch.exp(-0.4 + 0.5 * y).clamp(0.05, 20.0)
    expected = (mass * expected_at(OTHER_GAUSSIAN, process, weight, t)).sum()
    rows = ncsn(
        DiffusedNormal(OTHER_GAUSSIAN, process),
        GAUSSIAN.sample(ROWS, generator),
        process,
        weight,
        generator,
        times=LogNormalTimes(-0.4, 0.5, stratified=False),
    )
    return average(rows, expected)


def mean_importance(process: str) -> Outcome:
    """Times of density ∝ g²/σ², corrected for: the mean is that of uniform times."""
    chosen, generator = PROCESSES[process], seeded("claims", NAME, "importance", process)
    t, mass = over_times(chosen)
    expected = (mass * expected_at(OTHER_GAUSSIAN, chosen, Likelihood(), t)).sum()
    model, times = DiffusedNormal(OTHER_GAUSSIAN, chosen), LikelihoodTimes(stratified=False)
    weight = ImportanceWeight(Likelihood(), times)
    x = GAUSSIAN.sample(ROWS, generator)
    return average(ncsn(model, x, chosen, weight, generator, times=times), expected)


def argmin_scale(process: str, weight: str) -> Outcome:
    chosen, generator = PROCESSES[process], seeded("claims", NAME, "argmin", process, weight)
    x = GAUSSIAN.sample(ROWS, generator)
    state = generator.get_state()

    def rows(a: Tensor) -> Tensor:
        generator.set_state(state)
        return ncsn(DiffusedNormal(GAUSSIAN, chosen, a), x, chosen, WEIGHTS[weight], generator)

    return argmin(*(truths.row_derivatives(rows, a) for a in (0.7, 1.0, 1.4)))


def paired(process: Process, weight: Weight, times: Times, *key: str) -> Tensor:
    """Losses of the other Gaussian less those of the truth, on the same draws."""
    generator = seeded("claims", NAME, *key)
    x = GAUSSIAN.sample(ROWS, generator)
    state = generator.get_state()
    losses = []
    for normal in (OTHER_GAUSSIAN, GAUSSIAN):
        generator.set_state(state)
        model = DiffusedNormal(normal, process)
        losses.append(ncsn(model, x, process, weight, generator, times=times))
    return losses[0] - losses[1]


def likelihood_is_kl(process: str) -> Outcome:
    """∫ ½g² E‖∇log q_t − ∇log p_t‖² dt = KL(p_{t_min}‖q_{t_min}) − KL(p_{t_max}‖q_{t_max})."""
    chosen = PROCESSES[process]
    excess = paired(chosen, Likelihood(), UniformTimes(), "KL", process)
    ends = []
    for t in (chosen.t_min, chosen.t_max):
        alpha, sigma, _ = (float(v) for v in scales(chosen, truths.tensor(t)))
        ends.append(GAUSSIAN.noised(sigma, alpha).kl(OTHER_GAUSSIAN.noised(sigma, alpha)))
    return average(excess * (chosen.t_max - chosen.t_min), ends[0] - ends[1])


def transformed(
    weight: Weight, process: str, rows: Callable[[Process, Tensor, Tensor, Tensor, Tensor], Tensor]
) -> Outcome:
    """The weighted loss of a score against another form of the same loss."""
    chosen, generator = PROCESSES[process], seeded("claims", NAME, "form", process)
    x = GAUSSIAN.sample(500, generator)
    recorded = Recorded(DiffusedNormal(OTHER_GAUSSIAN, chosen))
    measured = ncsn(recorded, x, chosen, weight, generator)
    ((noised, t),) = recorded.asked
    alpha, sigma, _ = (v[:, None] for v in scales(chosen, t))
    score = DiffusedNormal(OTHER_GAUSSIAN, chosen)(noised, t)
    return equal(measured, rows(x, noised, score, alpha, sigma))


def noise_rows(x: Tensor, noised: Tensor, score: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """½‖ε̂ − z‖², ε̂ = −σs."""
    z = (noised - alpha * x) / sigma
    return ((-sigma * score - z) ** 2).sum(1) / 2


def network_rows(x: Tensor, noised: Tensor, score: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """½‖F − (x − c_skip x̃)/c_out‖² on the output F of the network of Karras et al. (σ_d = 0.7)."""
    data, level, unscaled = 0.7, sigma / alpha, noised / alpha
    skip = data**2 / (level**2 + data**2)
    out = level * data / (level**2 + data**2).sqrt()
    denoised = (noised + sigma**2 * score) / alpha
    network = (denoised - skip * unscaled) / out
    return ((network - (x - skip * unscaled) / out) ** 2).sum(1) / 2


def snr_rows(x: Tensor, noised: Tensor, score: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """min(SNR, γ) ½‖D − x‖² (γ = 1.3)."""
    denoised = (noised + sigma**2 * score) / alpha
    snr = (alpha / sigma)[:, 0] ** 2
    return snr.clamp(max=1.3) * ((denoised - x) ** 2).sum(1) / 2


def velocity_rows(x: Tensor, noised: Tensor, score: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """½‖u − (z − x)‖², u = −(x_t + t s)/(1 − t), on the straight line."""
    z = (noised - alpha * x) / sigma
    velocity = -(noised + sigma * score) / alpha
    return ((velocity - (z - x)) ** 2).sum(1) / 2


def cost(*, every_level: bool) -> Outcome:
    x, _ = GAUSSIAN.nodes(2)
    counted = CountedScore(OTHER_GAUSSIAN.score)
    ncsn(lambda x, t: counted(x), x, LADDER, every_level=every_level)
    return same(str(counted.used), f"{4 if every_level else 1} forward, 0 backward")


def claims() -> Iterator[Claim]:
    mean = "E_t λ(t) [D_F(p_t‖·) + d/(2σ²) − ½ E‖s_t‖²]"
    for process in PROCESSES:
        for weight in WEIGHTS:
            yield Claim(
                NAME,
                f"each row given its noise, {process}, {weight}, mixture",
                "λ(t) ½‖s_θ + z/σ‖², α, σ, λ written out",
                lambda p=process, w=weight: rows_given_noise(p, w),
            )
    for process in PROCESSES:
        for weight in WEIGHTS:
            yield Claim(
                NAME,
                f"its mean, a random time, {process}, {weight}, Gaussian",
                mean,
                lambda p=process, w=weight: mean_gaussian(p, w),
            )
    yield Claim(NAME, "its mean, log-normal times, EDM, EDM, Gaussian", mean, mean_log_normal)
    for process in ("VP", "EDM"):
        yield Claim(
            NAME,
            f"its mean, importance-sampled times, {process}, likelihood g², Gaussian",
            mean,
            lambda p=process: mean_importance(p),
        )
    for weight in WEIGHTS:
        yield Claim(
            NAME,
            f"its mean, the sum over a ladder, {weight}, Gaussian",
            "Σ_i λ(σ_i) [D_F + constant]",
            lambda w=weight: mean_every_level(w),
        )
    for weight in WEIGHTS:
        for process in ("VP", "Ladder"):
            yield Claim(
                NAME,
                f"least at the scores of the noised densities × a, {process}, {weight}",
                "d/da at a = 0.7, 1, 1.4",
                lambda p=process, w=weight: argmin_scale(p, w),
            )
    for process in ("VE", "VP", "EDM"):
        yield Claim(
            NAME,
            f"λ = g²: its integral over t is the fall of KL, {process}",
            "KL(p‖q) at t_min − KL(p‖q) at t_max, Gaussians",
            lambda p=process: likelihood_is_kl(p),
        )
    for process in ("VP", "EDM"):
        yield Claim(
            NAME,
            f"λ = σ² is the loss of the noise, {process}",
            "½‖ε̂ − z‖² in every row",
            lambda p=process: transformed(SigmaSquared(), p, noise_rows),
        )
        yield Claim(
            NAME,
            f"λ of EDM is unit weight on the network's output, {process}",
            "½‖F − (x − c_skip x̃)/c_out‖² in every row",
            lambda p=process: transformed(EDMWeight(0.7), p, network_rows),
        )
        yield Claim(
            NAME,
            f"λ of min-SNR on the loss of the denoiser, {process}",
            "min(SNR, γ) ½‖D − x‖² in every row",
            lambda p=process: transformed(MinSNR(1.3), p, snr_rows),
        )
    yield Claim(
        NAME,
        "λ of flow matching is the loss of the velocity, StraightLine",
        "½‖u − (z − x)‖² in every row, u = −(x_t + t s)/(1 − t)",
        lambda: transformed(FlowMatching(), "StraightLine", velocity_rows),
    )
    yield Claim(
        NAME,
        "passes through the model, a random level",
        "1 forward, 0 backward",
        lambda: cost(every_level=False),
    )
    yield Claim(
        NAME,
        "passes through the model, every level of 4",
        "4 forward, 0 backward",
        lambda: cost(every_level=True),
    )
