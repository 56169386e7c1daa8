"""Densities whose score, derivatives and means are written out here, apart from the package."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import erfcx
from torch import Tensor

from scorematching.densities import GaussianMixture

DOUBLE = torch.float64


def tensor(value: object) -> Tensor:
    return torch.tensor(value, dtype=DOUBLE)


@dataclass(frozen=True)
class Normal:
    """N(mean, covariance) and its score −P(x − μ), P the precision."""

    mean: Tensor
    covariance: Tensor

    @property
    def precision(self) -> Tensor:
        return torch.linalg.inv(self.covariance)

    def score(self, x: Tensor) -> Tensor:
        return -(x - self.mean) @ self.precision

    def noised(self, sigma: float, alpha: float = 1.0) -> Normal:
        """The law of αx + σz."""
        identity = torch.eye(len(self.mean), dtype=DOUBLE)
        return Normal(alpha * self.mean, alpha**2 * self.covariance + sigma**2 * identity)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, len(self.mean), generator=generator, dtype=DOUBLE)
        return self.mean + z @ torch.linalg.cholesky(self.covariance).T

    def nodes(self, order: int = 6) -> tuple[Tensor, Tensor]:
        """Gauss–Hermite nodes ``(m, d)`` and weights: exact for degree 2·order − 1."""
        points, weights = np.polynomial.hermite_e.hermegauss(order)
        axes = torch.meshgrid(*[tensor(points.tolist())] * len(self.mean), indexing="ij")
        z = torch.stack([axis.flatten() for axis in axes], 1)
        masses = torch.meshgrid(*[tensor(weights.tolist())] * len(self.mean), indexing="ij")
        mass = torch.stack([axis.flatten() for axis in masses], 1).prod(1)
        root = torch.linalg.cholesky(self.covariance)
        return self.mean + z @ root.T, mass / mass.sum()

    def kl(self, other: Normal) -> Tensor:
        """KL(self‖other) in nats."""
        ratio = other.precision @ self.covariance
        gap = self.mean - other.mean
        quadratic = gap @ other.precision @ gap
        return (ratio.trace() - len(gap) + quadratic - torch.logdet(ratio)) / 2


@dataclass(frozen=True)
class Mixture:
    """Σ w_k N(μ_k, C_k), component by component."""

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Densities w_k N_k(x) ``(n, K)``, gradients of ln N_k ``(n, K, d)``, precisions."""
        densities, gradients, precisions = [], [], []
        for w, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            normal = torch.distributions.MultivariateNormal(mean, covariance)
            densities.append(w * normal.log_prob(x).exp())
            precisions.append(torch.linalg.inv(covariance))
            gradients.append(-(x - mean) @ precisions[-1])
        return torch.stack(densities, 1), torch.stack(gradients, 1), torch.stack(precisions)

    def density(self, x: Tensor) -> Tensor:
        return self.parts(x)[0].sum(1)

    def score(self, x: Tensor) -> Tensor:
        densities, gradients, _ = self.parts(x)
        share = densities / densities.sum(1, keepdim=True)
        return (share[:, :, None] * gradients).sum(1)

    def jacobian(self, x: Tensor) -> Tensor:
        """∂s = Σ r_k (g_k g_kᵀ − P_k) − s sᵀ, r_k the responsibilities, ``(n, d, d)``."""
        densities, gradients, precisions = self.parts(x)
        share = (densities / densities.sum(1, keepdim=True))[:, :, None, None]
        inner = gradients[:, :, :, None] * gradients[:, :, None, :] - precisions
        s = self.score(x)
        return (share * inner).sum(1) - s[:, :, None] * s[:, None, :]

    def noised(self, sigma: float, alpha: float = 1.0) -> Mixture:
        identity = torch.eye(self.means.shape[1], dtype=DOUBLE)
        covariances = alpha**2 * self.covariances + sigma**2 * identity
        return Mixture(self.weights, alpha * self.means, covariances)

    def nodes(self, half_width: float = 9.0, step: float = 0.1) -> tuple[Tensor, Tensor]:
        """A grid and the masses p·stepᵈ: the trapezoidal rule, exact but for rounding here."""
        axis = torch.arange(-half_width, half_width + step / 2, step, dtype=DOUBLE)
        axes = torch.meshgrid(*[axis] * self.means.shape[1], indexing="ij")
        x = torch.stack([a.flatten() for a in axes], 1)
        mass = self.density(x) * step ** self.means.shape[1]
        inside = mass > 1e-20
        return x[inside], mass[inside]

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(n, self.means.shape[1], generator=generator, dtype=DOUBLE)
        roots = torch.linalg.cholesky(self.covariances)
        return self.means[k] + (roots[k] @ z[:, :, None])[:, :, 0]

    def library(self) -> GaussianMixture:
        """The package's own object of the same density."""
        return GaussianMixture(self.weights, self.means, self.covariances)


GAUSSIAN = Normal(
    tensor([0.3, -0.5, 0.8]),
    tensor([[1.2, 0.4, -0.2], [0.4, 0.8, 0.1], [-0.2, 0.1, 0.6]]),
)
OTHER_GAUSSIAN = Normal(
    tensor([0.1, 0.2, 0.5]),
    tensor([[0.9, -0.1, 0.2], [-0.1, 1.1, 0.3], [0.2, 0.3, 1.4]]),
)
MIXTURE = Mixture(
    tensor([0.35, 0.65]),
    tensor([[-1.2, 0.5], [1.0, -0.6]]),
    tensor([[[0.8, 0.3], [0.3, 0.6]], [[0.5, -0.2], [-0.2, 0.9]]]),
)
OTHER_MIXTURE = Mixture(
    tensor([0.5, 0.5]),
    tensor([[-0.8, 0.1], [1.3, 0.2]]),
    tensor([[[0.7, 0.1], [0.1, 0.9]], [[0.8, 0.2], [0.2, 0.7]]]),
)


@dataclass(frozen=True)
class ScaledScore:
    """a·s(x): for a Gaussian, the score with its precision times a."""

    score: Callable[[Tensor], Tensor]
    scale: Tensor | float

    def __call__(self, x: Tensor) -> Tensor:
        return self.scale * self.score(x)


@dataclass(frozen=True)
class ShiftedMixture:
    """The score of `MIXTURE` with its first mean moved by δ along (1, ½)."""

    delta: Tensor | float

    def __call__(self, x: Tensor) -> Tensor:
        move = torch.as_tensor(self.delta) * tensor([[1.0, 0.5], [0.0, 0.0]])
        return Mixture(MIXTURE.weights, MIXTURE.means + move, MIXTURE.covariances).score(x)


@dataclass(frozen=True)
class NormalLaplace:
    """The density of mean + τz + Laplace(b) noise in one dimension.

    p(x) = e^{−x²/(2τ²)} [w(u₋) + w(u₊)]/(4b), u∓ = (τ/b ∓ x/τ)/√2, w = erfcx; its derivative has
    the difference over b in place of the sum (W. J. Reed, "The normal-Laplace distribution and its
    relatives", 2006).
    """

    mean: float
    tau: float
    scale: float

    def density_and_derivative(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = (x - self.mean).numpy()
        below = erfcx((self.tau / self.scale - y / self.tau) / math.sqrt(2))
        above = erfcx((self.tau / self.scale + y / self.tau) / math.sqrt(2))
        kernel = np.exp(-(y**2) / (2 * self.tau**2)) / (4 * self.scale)
        return torch.from_numpy(kernel * (below + above)), torch.from_numpy(
            kernel * (above - below) / self.scale
        )


@dataclass(frozen=True)
class LaplaceNoisedMixture:
    """Σ w_k N(μ_k, τ_k²) in one dimension, convolved with Laplace noise of scale b."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    scale: float

    def density_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """p and (ln p)′ at x ``(n,)``."""
        parts = [
            (w, *NormalLaplace(mean, tau, self.scale).density_and_derivative(x))
            for w, mean, tau in zip(self.weights, self.means, self.deviations, strict=True)
        ]
        density = sum(w * p for w, p, _ in parts)
        derivative = sum(w * q for w, _, q in parts)
        return density, derivative / density

    def score(self, x: Tensor) -> Tensor:
        """The score as a callable on rows ``(n, 1)``; constant where parameters matter."""
        return self.density_and_score(x[:, 0].detach())[1][:, None]

    def clean(self) -> Mixture:
        variances = tensor([[[tau**2]] for tau in self.deviations])
        return Mixture(tensor(self.weights), tensor([[m] for m in self.means]), variances)


def segments(points: list[float], order: int = 60) -> tuple[Tensor, Tensor]:
    """Gauss–Legendre nodes and weights on consecutive segments of the line."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    x, w = [], []
    for low, high in itertools.pairwise(points):
        x.append((high - low) / 2 * nodes + (high + low) / 2)
        w.append((high - low) / 2 * weights)
    return tensor(np.concatenate(x).tolist()), tensor(np.concatenate(w).tolist())


def slope(function: Callable[[Tensor], Tensor], at: float, step: float = 1e-4) -> Tensor:
    """d function/da of a quadratic in a, row by row: the central difference is exact."""
    up, down = function(tensor(at + step)), function(tensor(at - step))
    return (up - down) / (2 * step)


def derivative(function: Callable[[Tensor], Tensor], at: float) -> Tensor:
    """d function/da by automatic differentiation, of a number ``()``."""
    a = tensor(at).requires_grad_()
    (result,) = torch.autograd.grad(function(a), a)
    return result.detach()


def row_derivatives(function: Callable[[Tensor], Tensor], at: float) -> Tensor:
    """d rows/da, ``(n,)``: the derivative of each row's loss in one shared parameter.

    The rows are differentiated in the direction a by two reverse passes.
    """
    a = tensor(at).requires_grad_()
    rows = function(a)
    probe = torch.ones_like(rows).requires_grad_()
    (vjp,) = torch.autograd.grad(rows, a, probe, create_graph=True)
    (result,) = torch.autograd.grad(vjp, probe)
    return result.detach()
