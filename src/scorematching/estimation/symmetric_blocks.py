"""Quadratic objectives whose jth score is linear in the jth row of a symmetric K and in ηⱼ.

If sⱼ = uⱼᵀ(K_{j1}, …, K_{jd}, ηⱼ), the objective E[½ Σⱼ wⱼ sⱼ² + …] is a sum over j of quadratics
in one row each, ½ kⱼᵀMⱼkⱼ with Mⱼ = E[wⱼ uⱼuⱼᵀ]: d blocks of d + 1 instead of one of d(d + 3)/2
(Lin, Drton & Shojaie 2016). θ is K's lower triangle row by row, then η.
"""

from __future__ import annotations

import torch
from torch import Tensor


def places(d: int) -> Tensor:
    """Where row j of (K, η) stands in θ: ``(d, d + 1)``."""
    i, j = torch.tril_indices(d, d)
    place = torch.empty(d, d + 1, dtype=torch.int64)
    place[i, j] = place[j, i] = torch.arange(len(i))
    place[:, d] = len(i) + torch.arange(d)
    return place


def n_parameters(d: int) -> int:
    """d(d + 1)/2 + d."""
    return d * (d + 3) // 2


def assemble_matrix(blocks: Tensor) -> Tensor:
    """A ``(p, p)`` of the blocks Mⱼ ``(d, d + 1, d + 1)``."""
    d = len(blocks)
    p, place = n_parameters(d), places(d).to(blocks.device)
    A = blocks.new_zeros(p, p)
    return A.index_put_((place[:, :, None], place[:, None, :]), blocks, accumulate=True)


def assemble_vector(rows: Tensor) -> Tensor:
    """b ``(p,)`` of parts ``(d, d + 1)``, or ``(…, p)`` of ``(…, d, d + 1)``."""
    d = rows.shape[-2]
    place = places(d).to(rows.device).flatten()
    out = rows.new_zeros(*rows.shape[:-2], n_parameters(d))
    return out.index_add_(-1, place, rows.flatten(-2))
