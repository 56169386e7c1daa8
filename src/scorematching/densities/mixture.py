"""Gaussian mixtures: all of log-density, score, denoiser and noised densities in closed form.

If x has density Σ w_k N(μ_k, C_k), then x_t = α x + σ z has Σ w_k N(α μ_k, α² C_k + σ² I). One
eigendecomposition of each C_k serves every noise level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.noise.process import Process
from scorematching.random import normal, uniform
from scorematching.shapes import per_row
from scorematching.typing import NoisyScore


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Σ_k w_k N(μ_k, C_k) on ℝᵈ. Results have the dtype and device of x.

    Parameters
    ----------
    weights
        ``(K,)``, positive, summing to one.
    means
        ``(K, d)``.
    covariances
        ``(K, d, d)``, positive definite.

    Raises
    ------
    InvalidInput
        Shapes do not match, the weights are no distribution, or a covariance is not symmetric
        positive definite.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor
    eigenvalues: Tensor = field(init=False, repr=False)
    eigenvectors: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        k, d = self.means.shape if self.means.ndim == 2 else (-1, -1)
        if self.weights.shape != (k,) or self.covariances.shape != (k, d, d):
            raise InvalidInput(
                "expected weights (K,), means (K, d), covariances (K, d, d): got "
                f"{tuple(self.weights.shape)}, {tuple(self.means.shape)}, "
                f"{tuple(self.covariances.shape)}."
            )
        if not (self.weights > 0).all() or abs(self.weights.sum().item() - 1) > 1e-5:
            raise InvalidInput(
                f"weights must be positive and sum to one: got {self.weights.tolist()}."
            )
        for name, value in (("means", self.means), ("covariances", self.covariances)):
            if not value.isfinite().all():
                raise InvalidInput(f"{name} must be finite: got {value.tolist()}.")
        asymmetry = (self.covariances - self.covariances.mT).abs().amax((1, 2))
        if (asymmetry > 1e-5 * self.covariances.abs().amax((1, 2))).any():
            raise InvalidInput(
                f"covariances must be symmetric: entries differ from their mirror images by up to "
                f"{asymmetry.max().item():g}. Pass (C + C.mT) / 2 if that is what you mean."
            )
        eigenvalues, eigenvectors = torch.linalg.eigh(self.covariances)
        if not (eigenvalues > 0).all():
            raise InvalidInput(
                "covariances must be positive definite: the smallest eigenvalue is "
                f"{eigenvalues.min().item():g}."
            )
        object.__setattr__(self, "eigenvalues", eigenvalues)
        object.__setattr__(self, "eigenvectors", eigenvectors)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(n, d)`` → ``(n,)``."""
        return self.diffused_log_density(x, x.new_ones(x.shape[:1]), x.new_zeros(x.shape[:1]))

    def score(self, x: Tensor) -> Tensor:
        """∇ log p(x), like x."""
        return self.diffused_score(x, x.new_ones(x.shape[:1]), x.new_zeros(x.shape[:1]))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws, ``(n, d)``."""
        cumulative = self.weights.cumsum(0)
        u = uniform((n,), self.means, generator) * cumulative[-1]
        component = torch.searchsorted(cumulative, u, right=True).clamp(max=len(cumulative) - 1)
        z = normal((n, self.means.shape[1]), self.means, generator)
        roots: Tensor = self.eigenvectors * self.eigenvalues.sqrt()[:, None, :]
        return self.means[component] + torch.einsum("nij,nj->ni", roots[component], z)

    def diffused_log_density(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """log-density of α x₀ + σ z at x ``(n, d)``; α and σ are ``(n,)``; ``(n,)`` in nats."""
        return torch.logsumexp(self._components(x, alpha, sigma)[0], 1).to(x.dtype)

    def diffused_score(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """∇ₓ of `diffused_log_density`, like x."""
        joint, rotated, variances = self._components(x, alpha, sigma)
        scores = -torch.einsum("kij,nkj->nki", self.eigenvectors.to(rotated), rotated / variances)
        return (joint.softmax(1)[:, :, None] * scores).sum(1).to(x.dtype)

    def denoise(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x₀ | x₀ + σz = x], like x; σ is a number or one per row."""
        level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(x.shape[0])
        score = self.diffused_score(x, torch.ones_like(level), level)
        return x + per_row(level, x) ** 2 * score

    def noised(self, process: Process, t: float) -> GaussianMixture:
        """The density of x_t = α(t) x + σ(t) z, a mixture once more: Σ w_k N(αμ_k, α²C_k + σ²I)."""
        time = torch.as_tensor(t, dtype=self.means.dtype, device=self.means.device)
        alpha, sigma = process.alpha(time), process.sigma(time)
        noise = sigma**2 * torch.eye(self.means.shape[1]).to(self.means)
        return GaussianMixture(
            self.weights, alpha * self.means, alpha**2 * self.covariances + noise
        )

    def noisy_score(self, process: Process) -> NoisyScore:
        """s(x, t) = ∇ log p_t(x) under a process, in closed form."""
        return DiffusedScore(self, process)

    def _components(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
        """ln w_k N(x; α μ_k, α² C_k + σ² I), x − αμ_k in the eigenbasis, and its variances.

        Computed in the wider of the dtypes of x and of the parameters.
        """
        if x.ndim != 2 or x.shape[1] != self.means.shape[1]:
            raise InvalidInput(
                f"expected x of shape (n, {self.means.shape[1]}): got {tuple(x.shape)}."
            )
        x = x.to(torch.promote_types(x.dtype, self.means.dtype))
        alpha, sigma = alpha.to(x)[:, None, None], sigma.to(x)[:, None, None]
        centred = x[:, None, :] - alpha * self.means.to(x)
        rotated = torch.einsum("kji,nkj->nki", self.eigenvectors.to(x), centred)
        variances = alpha**2 * self.eigenvalues.to(x) + sigma**2
        d = x.shape[1]
        exponent = (rotated**2 / variances).sum(2) + variances.log().sum(2)
        joint = self.weights.log().to(x) - (exponent + d * math.log(2 * math.pi)) / 2
        return joint, rotated, variances


@dataclass(frozen=True)
class DiffusedScore:
    """The exact noisy score of a mixture under a process."""

    density: GaussianMixture
    process: Process

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device).expand(x.shape[0])
        return self.density.diffused_score(x, self.process.alpha(t), self.process.sigma(t))


def gaussian(mean: Tensor, covariance: Tensor) -> GaussianMixture:
    """The Gaussian N(mean, covariance), a mixture of one; mean ``(d,)``, covariance ``(d, d)``."""
    return GaussianMixture(mean.new_ones(1), mean[None], covariance[None])
