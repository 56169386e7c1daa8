"""Whitened coordinates: z = Vx with Cov(z) = I, in which no direction of x outweighs another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class LinearMap:
    """The chart z = Vx of ℝᵈ, V ``(d, d)`` invertible; log |det| is constant and left out.

    Matching a density in z weighs its score in x by the constant matrix (VᵀV)⁻¹: the objective is
    E[½ sᵀ(VᵀV)⁻¹s + tr (VᵀV)⁻¹∂s].
    """

    matrix: Tensor

    def check(self, x: Tensor) -> None:
        """Every row has coordinates."""

    def forward(self, x: Tensor) -> Tensor:
        """Vx, ``(n, d)``."""
        return x @ self.matrix.to(x).mT

    def inverse(self, z: Tensor) -> Tensor:
        """V⁻¹z, ``(n, d)``."""
        inverse: Tensor = torch.linalg.inv(self.matrix)
        return z @ inverse.to(z).mT

    def log_abs_det(self, z: Tensor) -> Tensor:
        """0, ``(n,)``: constant."""
        return z.new_zeros(z.shape[0])


def whitening(x: Tensor) -> LinearMap:
    """z = Σ^{−½}x, Σ the covariance of the rows x ``(n, d)``.

    Raises
    ------
    InvalidInput
        The covariance is singular.
    """
    centred = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centred.mT @ centred / len(x))
    if not bool(values[0] > len(values) * torch.finfo(x.dtype).eps * values[-1]):
        raise InvalidInput(
            "the columns are collinear: the smallest eigenvalue of their covariance is "
            f"{values[0].item():.3g}, the largest {values[-1].item():.3g}. Drop columns, or reduce "
            "them by principal components."
        )
    return LinearMap(vectors / values.sqrt() @ vectors.mT)
