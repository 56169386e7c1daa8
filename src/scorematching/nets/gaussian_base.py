"""The closed-form denoiser of a Gaussian, on which the networks build.

If x₀ ~ N(μ, C) then E[x₀ | x₀ + σz = x] = μ + C (C + σ²I)⁻¹ (x − μ). A network that adds to it
learns only what a Gaussian misses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput

MAX_RANK = 1024


class GaussianBase(nn.Module):
    """D(x, σ) of N(μ, C), C = U Λ Uᵀ + r (I − U Uᵀ): k leading directions and a rest.

    Parameters
    ----------
    mean
        μ, shaped as one row, ``(*event)``.
    directions
        U, ``(d, k)``, orthonormal columns, d the number of coordinates of a row.
    variances
        The diagonal of Λ, ``(k,)``.
    rest
        r, the variance in all other directions, ``()``.

    Raises
    ------
    InvalidInput
        The shapes do not agree.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor

    def __init__(self, mean: Tensor, directions: Tensor, variances: Tensor, rest: Tensor) -> None:
        super().__init__()
        k = len(variances) if variances.ndim == 1 else -1
        if directions.shape != (mean.numel(), k) or rest.ndim:
            raise InvalidInput(
                f"for a mean of shape {tuple(mean.shape)}, directions must have shape "
                f"({mean.numel()}, k), variances (k,) and rest (): got {tuple(directions.shape)}, "
                f"{tuple(variances.shape)} and {tuple(rest.shape)}."
            )
        self.register_buffer("mean", mean)
        self.register_buffer("directions", directions)
        self.register_buffer("variances", variances)
        self.register_buffer("rest", rest)

    @classmethod
    def fit(cls, x: Tensor, max_rank: int = MAX_RANK) -> GaussianBase:
        """The moments of rows x ``(n, *event)``, computed in float64, kept in the dtype of x.

        At most max_rank directions are kept; the rest gets its mean variance (probabilistic PCA,
        Tipping & Bishop 1999). Variances are floored at 1e-8 of the largest.
        """
        rows = x.detach().double().flatten(1) if x.ndim > 1 else x.detach().double()[:, None]
        mean = rows.mean(0)
        n = len(rows)
        variances, vectors = _principal((rows - mean) / math.sqrt(n))
        return cls._of(mean.reshape(x.shape[1:]), variances, vectors, n, x.dtype, max_rank)

    @classmethod
    def of_moments(
        cls, mean: Tensor, covariance: Tensor, n: int, dtype: torch.dtype, max_rank: int = MAX_RANK
    ) -> GaussianBase:
        """As `fit`, from the mean ``(*event)`` and covariance ``(d, d)``, divisor n, of n rows."""
        variances, vectors = torch.linalg.eigh(covariance.double())
        spectrum = variances.flip(0).clamp(min=0), vectors.flip(1)
        return cls._of(mean.double(), *spectrum, n, dtype, max_rank)

    @classmethod
    def _of(
        cls,
        mean: Tensor,
        variances: Tensor,
        vectors: Tensor,
        n: int,
        dtype: torch.dtype,
        max_rank: int,
    ) -> GaussianBase:
        """From the eigenvalues of the covariance, largest first, and its eigenvectors."""
        d = mean.numel()
        rank = min(d, n - 1, max_rank)
        kept, directions = variances[:rank], vectors[:, :rank]
        rest = (variances.sum() - kept.sum()).clamp(min=0) / max(d - rank, 1)
        floor = 1e-8 * variances[0]
        return cls(
            mean.to(dtype),
            directions.contiguous().to(dtype),
            kept.clamp(min=floor).to(dtype),
            rest.clamp(min=floor).to(dtype),
        )

    def for_rows(self, *given: Tensor) -> GaussianBase:
        """Itself, whatever rows are given; see `ConditionalBase.for_rows`."""
        return self

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x₀ | x₀ + σz = x], like x; σ is ``(n,)`` or ``()``."""
        if torch.is_autocast_enabled(x.device.type):
            # In 16 bits the products would err by more than the noise at small σ.
            with torch.autocast(x.device.type, enabled=False):
                return self.forward(x, sigma)
        centred = x - self.mean
        flat = centred.reshape(len(x), -1)
        level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        noise = level[..., None] ** 2
        common = self.rest / (self.rest + noise)
        special = self.variances / (self.variances + noise) - common
        denoised = common * flat + ((flat @ self.directions) * special) @ self.directions.T
        return self.mean + denoised.reshape(x.shape)

    def residual_scale(self, sigma: Tensor) -> Tensor:
        """√(mean posterior variance): the mean over C's eigenvalues λ of λσ²/(λ + σ²), rooted."""
        noise = sigma[..., None] ** 2
        d, k = self.directions.shape
        kept = (self.variances * noise / (self.variances + noise)).sum(-1)
        rest = (d - k) * self.rest * noise[..., 0] / (self.rest + noise[..., 0])
        return ((kept + rest) / d).sqrt()

    def noised_scale(self, sigma: Tensor) -> Tensor:
        """√(mean variance of a coordinate of x₀ + σz)."""
        d, k = self.directions.shape
        mean_variance = (self.variances.sum() + (d - k) * self.rest) / d
        return (mean_variance + sigma**2).sqrt()

    def draw(self, z: Tensor, sigma: float) -> Tensor:
        """N(μ, C + σ²I) from standard normal z ``(n, *event)``, like z."""
        flat = z.reshape(len(z), -1)
        common = (self.rest + sigma**2).sqrt()
        special = (self.variances + sigma**2).sqrt() - common
        drawn = common * flat + ((flat @ self.directions) * special) @ self.directions.T
        return self.mean + drawn.reshape(z.shape)

    def log_density(self, x: Tensor, sigma: float) -> Tensor:
        """log N(x; μ, C + σ²I) in nats, ``(n,)``."""
        flat = (x - self.mean).reshape(len(x), -1)
        d, k = self.directions.shape
        rest, kept = self.rest + sigma**2, self.variances + sigma**2
        rotated = flat @ self.directions
        square = (flat**2).sum(1) / rest + (rotated**2 * (1 / kept - 1 / rest)).sum(1)
        log_determinant = kept.log().sum() + (d - k) * rest.log()
        return -(square + log_determinant + d * math.log(2 * math.pi)) / 2


def _principal(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, largest first, and eigenvectors ``(d, k)`` of rowsᵀ rows, k = min(n, d).

    For many rows the matrix itself is far cheaper to decompose than they are; its eigenvalues err
    by 1e-16 of the largest, far below the floor.
    """
    n, d = rows.shape
    if n >= d:
        values, vectors = torch.linalg.eigh(rows.T @ rows)
        return values.flip(0).clamp(min=0), vectors.flip(1)
    _, singular, vh = torch.linalg.svd(rows, full_matrices=False)
    return singular**2, vh.T


class NoisedDensity(Protocol):
    """A Gaussian whose density with noise added is known: ``(n, *event)``, σ → ``(n,)``."""

    def log_density(self, x: Tensor, sigma: float, /) -> Tensor: ...


@dataclass(frozen=True)
class NoisedBase:
    """The density N(μ, C + σ²I) of a base at one noise level."""

    base: NoisedDensity
    sigma: float

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(n, *event)`` → ``(n,)``."""
        return self.base.log_density(x, self.sigma)
