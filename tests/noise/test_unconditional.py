"""A network that is not told the noise level, over σ."""

from __future__ import annotations

import pytest
import torch

from scorematching.errors import InvalidInput
from scorematching.noise import VP, Ladder, UnconditionalScore
from scorematching.random import normal, seeded

LIKE = torch.zeros(1, dtype=torch.float64)


@pytest.mark.parametrize("event", [(), (3,), (2, 1, 3)])
@pytest.mark.parametrize("process", [VP(), Ladder((0.1, 1.0, 5.0))])
def test_it_is_the_network_over_sigma(process: VP | Ladder, event: tuple[int, ...]) -> None:
    x = normal((3, *event), LIKE, seeded("x"))
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64) * process.t_max
    score = UnconditionalScore(torch.sin, process)
    for i in range(3):
        torch.testing.assert_close(score(x, t)[i], x[i].sin() / process.sigma(t[i]))
        torch.testing.assert_close(score(x[i : i + 1], t[i])[0], score(x, t)[i])


def test_of_one_point_the_network_is_exact() -> None:
    """Data at 0 alone: s = −x/σ², so f = −x/σ has one law at every level, −z."""
    ladder = Ladder((0.1, 1.0, 5.0))
    noised, z = ladder.perturb(torch.zeros(3, 2, dtype=torch.float64), torch.arange(3.0).double())
    score = UnconditionalScore(lambda x: -z, ladder)(noised, torch.arange(3.0))
    torch.testing.assert_close(score, -noised / torch.tensor([[0.01], [1.0], [25.0]]))


def test_a_network_of_another_shape_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the network must return a tensor shaped like x"):
        UnconditionalScore(lambda x: x.sum(1), VP())(torch.ones(3, 2), torch.ones(3) / 2)
