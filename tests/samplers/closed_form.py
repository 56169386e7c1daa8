"""Truths for the samplers: flows and laws known in closed form, and how to read an order."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from scorematching.densities import GaussianMixture, gaussian
from scorematching.noise import EDM, VE, VP, Process
from scorematching.samplers import KarrasGrid, LogUniformGrid, Step, walk

F64 = torch.float64
PROCESSES = (VE(0.1, 3.0), VP(beta_min=0.5, beta_max=8.0, t_min=0.01), EDM(0.1, 3.0))
# Each process with each spacing at least once, without all pairs of them.
SPACED = (
    (PROCESSES[0], LogUniformGrid),
    (PROCESSES[1], KarrasGrid),
    (PROCESSES[2], KarrasGrid),
    (PROCESSES[1], LogUniformGrid),
)

MEAN = torch.tensor([0.7, -1.1], dtype=F64)
COVARIANCE = torch.tensor([[1.3, 0.6], [0.6, 0.8]], dtype=F64)
GAUSSIAN = gaussian(MEAN, COVARIANCE)

MIXTURE = GaussianMixture(
    torch.tensor([0.3, 0.7], dtype=F64),
    torch.tensor([[-1.5, 0.0], [1.0, 0.5]], dtype=F64),
    torch.tensor([[[0.3, 0.0], [0.0, 0.3]], [[0.5, 0.2], [0.2, 0.4]]], dtype=F64),
)


def order_of(steps: list[int], errors: list[float]) -> float:
    """Minus the slope of log error on log n by least squares."""
    x = torch.tensor(steps, dtype=F64).log()
    y = torch.tensor(errors, dtype=F64).log()
    return -(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()).item()


def law_at(process: Process, t: Tensor) -> tuple[Tensor, Tensor]:
    """Mean αμ and covariance α²C + σ²I of the Gaussian at time t."""
    alpha, sigma = process.alpha(t), process.sigma(t)
    return alpha * MEAN, alpha**2 * COVARIANCE + sigma**2 * torch.eye(2, dtype=F64)


def gaussian_flow(x: Tensor, process: Process, t: Tensor, t_next: Tensor) -> Tensor:
    """The probability flow of the Gaussian, from t to t_next.

    Along an eigenvector of C with eigenvalue c it keeps (x − αμ)/√(α²c + σ²).
    """
    eigenvalues, vectors = torch.linalg.eigh(COVARIANCE)
    before = process.alpha(t) ** 2 * eigenvalues + process.sigma(t) ** 2
    after = process.alpha(t_next) ** 2 * eigenvalues + process.sigma(t_next) ** 2
    scaled = ((x - process.alpha(t) * MEAN) @ vectors) * (after / before).sqrt()
    return process.alpha(t_next) * MEAN + scaled @ vectors.T


def reverse_law(
    process: Process, t: Tensor, t_next: Tensor, mean: Tensor, covariance: Tensor
) -> tuple[Tensor, Tensor]:
    """The law at t_next < t of the reverse SDE of the Gaussian, started from N(mean, covariance).

    Running backwards draws from p(x_next | x), and x = a x_next + noise of variance σ² − a² σ_next²
    with a = α/α_next: a Kalman update of the law at t_next by what is known at t.
    """
    prior_mean, prior = law_at(process, t_next)
    a = process.alpha(t) / process.alpha(t_next)
    noise = process.sigma(t) ** 2 - a**2 * process.sigma(t_next) ** 2
    gain = a * prior @ torch.linalg.inv(a**2 * prior + noise * torch.eye(2, dtype=F64))
    posterior = prior - a * gain @ prior
    return prior_mean + gain @ (mean - a * prior_mean), gain @ covariance @ gain.T + posterior


def family_law(
    process: Process, t: Tensor, t_next: Tensor, mean: Tensor, covariance: Tensor, squared: float
) -> tuple[Tensor, Tensor]:
    """The law at t_next of dx = [f x − ½(1 + η²) g² s] dt + η g dw̄ of the Gaussian, squared = η².

    All of the family keep p_t. Along an eigenvector of C a deviation δ from αμ obeys
    d ln δ/dt = f + ½(1 + η²) g²/v with v = α²c + σ², and g² = v′ − 2f v, so that δ grows by
    √(v_next/v) [(v_next/α_next²)/(v/α²)]^{η²/2}.
    """
    eigenvalues, vectors = torch.linalg.eigh(COVARIANCE)
    scale = (process.alpha(t_next) / process.alpha(t)) ** 2
    before = process.alpha(t) ** 2 * eigenvalues + process.sigma(t) ** 2
    after = process.alpha(t_next) ** 2 * eigenvalues + process.sigma(t_next) ** 2
    growth = (after / before).sqrt() * (after / before / scale) ** (squared / 2)
    kept = vectors @ torch.diag(growth) @ vectors.T
    fresh = vectors @ torch.diag(after - growth**2 * before) @ vectors.T
    mean_next = process.alpha(t_next) * MEAN + kept @ (mean - process.alpha(t) * MEAN)
    return mean_next, kept @ covariance @ kept.T + fresh


def law_of_walk(
    step: Step[Any], times: Tensor, mean: Tensor, covariance: Tensor
) -> tuple[Tensor, Tensor]:
    """The exact mean and covariance at the end of a walk whose step is affine in x and z.

    The end is b + A x₀ + Σᵢ Bᵢ zᵢ. Each column is read off by a walk of its own: one row with
    nothing, one for each entry of x₀, one for each entry of each zᵢ.
    """
    d, n_draws = len(mean), (len(times) - 1) * step.draws
    starts = torch.zeros(1 + d + n_draws * d, d, dtype=F64)
    starts[1 : 1 + d] = torch.eye(d, dtype=F64)

    def impulse(index: int, x: Tensor) -> Tensor:
        z = torch.zeros_like(x)
        first = 1 + d + index * d
        z[first : first + d] = torch.eye(d, dtype=F64)
        return z

    end = walk(step, starts, times, noise=impulse if step.draws else None).x
    offset, columns = end[0], (end[1:] - end[0]).T
    a, b = columns[:, :d], columns[:, d:]
    return offset + a @ mean, a @ covariance @ a.T + b @ b.T


def root_mean_square(x: Tensor) -> float:
    return math.sqrt((x**2).mean().item())
