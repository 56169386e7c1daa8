"""Principal-component whitening."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scorematching.data.saved import take_tensors
from scorematching.data.standardise import Standardise, standardise
from scorematching.data.strict import Fields
from scorematching.errors import InvalidInput

#: Smallest eigenvalue of the correlation matrix that is not taken for rounding.
FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class Whiten:
    """y = (x − mean) @ matrix, on rows ``(n, d)``.

    Attributes
    ----------
    mean
        float64 ``(d,)``.
    matrix
        float64 ``(d, d)``, invertible.
    """

    mean: Tensor
    matrix: Tensor

    def __post_init__(self) -> None:
        d = self.mean.shape[0] if self.mean.ndim == 1 else -1
        if self.matrix.shape != (d, d):
            raise InvalidInput(
                "mean must have shape (d,) and matrix (d, d): got "
                f"{tuple(self.mean.shape)} and {tuple(self.matrix.shape)}."
            )
        if not bool(torch.isfinite(self.mean).all() and torch.isfinite(self.matrix).all()):
            raise InvalidInput("mean and matrix must be finite.")
        if not bool(torch.isfinite(torch.linalg.slogdet(self.matrix).logabsdet)):
            raise InvalidInput("matrix must be invertible.")

    def forward(self, x: Tensor) -> Tensor:
        """(x − mean) @ matrix, shaped like x."""
        return (x - self.mean) @ self.matrix

    def inverse(self, y: Tensor) -> Tensor:
        """mean + y @ matrix⁻¹, shaped like y."""
        centred: Tensor = torch.linalg.solve(self.matrix, y, left=False)
        return self.mean + centred

    def log_abs_det_jacobian(self, x: Tensor) -> Tensor:
        """log|det matrix|, ``(n,)`` in nats."""
        log_det: Tensor = torch.linalg.slogdet(self.matrix).logabsdet
        return log_det.to(x).expand(len(x))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"type": "whiten"}

    def tensors(self) -> dict[str, Tensor]:
        """mean and matrix."""
        return {"mean": self.mean, "matrix": self.matrix}

    @classmethod
    def from_json(cls, data: object, tensors: Mapping[str, Tensor]) -> Whiten:
        """The inverse of `to_json` and `tensors`; raises InvalidInput at anything odd."""
        Fields(data, "transform", ("type",)).constant("type", "whiten")
        mean, matrix = take_tensors(tensors, "whiten", ("mean", "matrix"))
        return cls(mean, matrix)


def whiten(
    rows: Tensor, names: Sequence[str] | None = None, floor: float = FLOOR
) -> tuple[Whiten, tuple[str, ...]]:
    """Whitening by the principal components of rows ``(n, d)``, and notes on collinear columns.

    With the columns' standard deviations S and the correlation matrix V Λ Vᵀ (divisor n, float64),
    matrix = S⁻¹ V max(Λ, floor)^−½: the rows' y has mean 0 and covariance I, below 1 where an
    eigenvalue is under the floor. The largest entry of a column of V is positive.

    Parameters
    ----------
    rows
        ``(n, d)``, finite.
    names
        The columns' names for the notes; their numbers from 0 if None.
    floor
        Smallest eigenvalue of the correlation matrix (whose eigenvalues average 1).

    Raises
    ------
    InvalidInput
        rows is no matrix, or floor is not positive.
    """
    if rows.ndim != 2:
        raise InvalidInput(f"rows must have shape (n, d): got {tuple(rows.shape)}.")
    unit = standardise(rows)
    z = unit.forward(rows.to(torch.float64))
    return whitening(unit, z.T @ z / len(z), len(z), names, floor)


def whitening(
    unit: Standardise,
    correlations: Tensor,
    n: int,
    names: Sequence[str] | None = None,
    floor: float = FLOOR,
) -> tuple[Whiten, tuple[str, ...]]:
    """As `whiten`, from the means and standard deviations, the correlations ``(d, d)`` and n.

    Raises
    ------
    InvalidInput
        floor is not positive.
    """
    if not floor > 0:
        raise InvalidInput(f"floor must be positive: got {floor:g}.")
    eigenvalues, vectors = torch.linalg.eigh(correlations)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    vectors = vectors * torch.where(largest < 0, -1.0, 1.0)
    matrix = (vectors / eigenvalues.clamp_min(floor).sqrt()) / unit.scale[:, None]
    names = names if names is not None else [str(j) for j in range(len(correlations))]
    # Saved and loaded it is laid out row by row: sums then round the same way before and after.
    return Whiten(unit.mean, matrix.contiguous()), _collinear(eigenvalues, vectors, names, n, floor)


def _collinear(
    eigenvalues: Tensor, vectors: Tensor, names: Sequence[str], n: int, floor: float
) -> tuple[str, ...]:
    """What to tell about directions in which the rows hardly vary."""
    flat = [k for k in range(len(eigenvalues)) if float(eigenvalues[k]) < floor]
    if not flat:
        return ()
    if n <= len(eigenvalues):
        return (
            f"{n} rows span at most {n - 1} of {len(eigenvalues)} directions: the others are "
            "regularised. Bring more rows or fewer columns.",
        )
    weights = vectors[:, flat].abs().amax(1)
    involved = [name for name, w in zip(names, weights.tolist(), strict=True) if w > 0.1]
    listing = ", ".join(repr(name) for name in involved[:12])
    more = f" and {len(involved) - 12} more" if len(involved) > 12 else ""
    return (
        f"columns {listing}{more} are collinear: {len(flat)} of their combinations hardly vary "
        "and are regularised. The density is nearly degenerate; leaving one out makes it regular.",
    )
