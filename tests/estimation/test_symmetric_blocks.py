from __future__ import annotations

import torch

from scorematching.estimation.symmetric_blocks import assemble_matrix, assemble_vector, places
from scorematching.random import normal, seeded

LIKE = torch.zeros((), dtype=torch.float64)


def test_blocks_make_the_sum_of_the_quadratics_of_the_rows() -> None:
    d = 4
    roots = normal((d, d + 1, d + 1), LIKE, seeded("blocks"))
    blocks = roots @ roots.mT
    theta = normal((d * (d + 3) // 2,), LIKE, seeded("theta"))
    i, j = torch.tril_indices(d, d)
    K = torch.zeros(d, d).double()
    K[i, j] = K[j, i] = theta[: len(i)]
    rows = torch.cat([K, theta[len(i) :, None]], 1)
    assert torch.equal(theta[places(d)], rows)
    torch.testing.assert_close(
        theta @ assemble_matrix(blocks) @ theta, torch.einsum("ji,jik,jk->", rows, blocks, rows)
    )
    parts = normal((3, d, d + 1), LIKE, seeded("parts"))
    torch.testing.assert_close(assemble_vector(parts) @ theta, (parts * rows).sum((1, 2)))
