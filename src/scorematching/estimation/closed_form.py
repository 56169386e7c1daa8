"""θ̂ = −A⁻¹b, or which directions of θ the rows do not determine (Hyvärinen 2007)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scorematching.errors import InvalidInput, NotIdentified
from scorematching.structured import QuadraticForm

TOLERANCE = 1e-12  # of the largest eigenvalue, a parameter: rounding of sums over rows
SHOWN = 3  # unidentified directions in a message


@dataclass(frozen=True, eq=False)
class Factor:
    """A⁻¹ of a symmetric positive definite A, by Cholesky after scaling it to unit diagonal.

    Parameters
    ----------
    scale
        ``(p,)``, A's diagonal to the power −½: units of the parameters do not matter to rounding.
    root
        The lower Cholesky factor of the scaled A, ``(p, p)``.
    """

    scale: Tensor
    root: Tensor

    def solve(self, b: Tensor) -> Tensor:
        """A⁻¹b, b ``(p,)`` or ``(p, m)``."""
        columns = b[:, None] if b.ndim == 1 else b
        scale = self.scale[:, None]
        return (scale * torch.cholesky_solve(scale * columns, self.root)).reshape(b.shape)

    def on_both_sides(self, S: Tensor) -> Tensor:
        """A⁻¹SA⁻¹ of a symmetric S ``(p, p)``."""
        both = self.solve(self.solve(S).mT)
        return (both + both.mT) / 2


def factorise(A: Tensor, names: Sequence[str]) -> Factor:
    """The factor of A, the curvature of an objective.

    Raises
    ------
    NotIdentified
        A is singular up to rounding; the message names the directions in which the objective is
        flat.
    InvalidInput
        A is not finite.
    """
    if not bool(A.isfinite().all()):
        k = int((~A.isfinite()).any(1).nonzero()[0])
        raise InvalidInput(
            f"the curvature of the objective is not finite at {names[k]}. Rescale the columns, or "
            "choose a weight that falls faster towards the boundary."
        )
    diagonal = A.diagonal()
    # A diagonal entry that is zero keeps its unit; the direction is found to be flat below.
    scale = torch.where(diagonal > 0, diagonal, torch.ones_like(diagonal)).rsqrt()
    scaled = scale[:, None] * A * scale
    root, failed = torch.linalg.cholesky_ex(scaled)
    if not bool(failed) and _well_conditioned(scaled, root):
        return Factor(scale, root)
    values, vectors = torch.linalg.eigh(scaled)
    flat = values <= TOLERANCE * len(values) * values[-1].clamp(min=0)
    if bool(flat.any()):
        raise NotIdentified(_unidentified(scale[:, None] * vectors[:, flat], names))
    return Factor(scale, torch.linalg.cholesky(scaled))


def minimise(form: QuadraticForm, names: Sequence[str], ridge: float = 0.0) -> Tensor:
    """θ̂ = −(A + ridge·I)⁻¹b, the minimiser of J(θ) + ½ ridge ‖θ‖², ``(p,)``.

    Raises
    ------
    NotIdentified
        A + ridge·I is singular up to rounding; the message names the directions of θ that the rows
        do not determine.
    InvalidInput
        The ridge is negative or not finite, or a sum is not finite.
    """
    return -factorise(with_ridge(form.A, ridge), names).solve(form.b)


def with_ridge(A: Tensor, ridge: float) -> Tensor:
    """A + ridge·I."""
    return A + ridge * torch.eye(len(A), dtype=A.dtype, device=A.device) if ridge else A


def check_ridge(ridge: float) -> float:
    """The ridge, if it is a finite number of at least 0; InvalidInput otherwise."""
    if not 0 <= ridge < float("inf"):
        raise InvalidInput(f"ridge must be finite and at least 0: got {ridge!r}.")
    return float(ridge)


def _well_conditioned(scaled: Tensor, root: Tensor) -> bool:
    """Whether the smallest eigenvalue is surely above the tolerance.

    ‖A⁻¹‖₂ ≤ ‖A⁻¹‖_F = ‖L⁻¹‖… is bounded from L⁻¹, which costs less than eigenvalues.
    """
    inverse = torch.linalg.solve_triangular(
        root, torch.eye(len(root), dtype=root.dtype, device=root.device), upper=False
    )
    smallest = 1 / inverse.square().sum()  # 1/tr A⁻¹ ≤ λ_min
    largest = scaled.abs().sum(1).max()  # ≥ λ_max
    return bool(smallest > TOLERANCE * len(root) * largest)


def _unidentified(directions: Tensor, names: Sequence[str]) -> str:
    """What to say of a flat subspace spanned by directions ``(p, m)`` of θ."""
    p, m = directions.shape
    shown = [_combination(each, names) for each in _sparse_basis(directions)[:SHOWN]]
    more = f", and {m - SHOWN} more" if m > SHOWN else ""
    which = "direction" if m == 1 else "directions"
    return (
        f"the rows do not identify {m} {which} of the {p} parameters: the objective does not "
        f"change along {'; '.join(shown)}{more}. Bring more rows, drop columns that are constant "
        "or determined by others, fix or tie parameters (fixed=…, tied=…), or ask for a ridge "
        "(ridge=…)."
    )


def _sparse_basis(directions: Tensor) -> list[Tensor]:
    """A basis of the span of the columns ``(p, m)`` with a unit entry of its own in each vector.

    By Gauss–Jordan elimination with complete pivoting: easier to read than orthogonal vectors.
    """
    basis = directions.mT / directions.abs().amax(0)[:, None]
    for k in range(len(basis)):
        column = int(basis[k].abs().argmax())
        pivot = basis[k] / basis[k, column]
        basis = basis - basis[:, column : column + 1] * pivot
        basis[k] = pivot
    return list(basis)


def _combination(direction: Tensor, names: Sequence[str]) -> str:
    """``K[1,1] − 2 K[2,1]``: the largest few entries."""
    size = direction.abs()
    kept = size > 1e-6 * size.max()
    order = [k for k in size.argsort(descending=True, stable=True).tolist() if kept[k]]
    terms = []
    for place, k in enumerate(order[:5]):
        value = direction[k].item()
        sign = "−" if value < 0 else ("+" if place else "")
        factor = "" if abs(abs(value) - 1) < 1e-6 else f"{abs(value):.3g} "
        terms.append(f"{sign} {factor}{names[k]}" if place else f"{sign}{factor}{names[k]}")
    return " ".join(terms) + (" + …" if len(order) > 5 else "")
