from __future__ import annotations

import pytest
import torch

from scorematching.estimation.jet import Jet, Unsupported
from scorematching.estimation.slopes import Slopes


def jet_of_time(t: float) -> Jet:
    """Of x itself in one coordinate, with l = 2 and drift 3."""
    x = torch.tensor([[t]], dtype=torch.float64)
    return Jet(x, Slopes(1, torch.full((1, 1, 1), 2.0).double()), torch.full_like(x, 3.0))


def test_the_chain_rule_is_that_of_ito() -> None:
    # f = x³ at 2: f' = 12, f'' = 12; slope 2·12, generated 3·12 + 2²·12
    cube = jet_of_time(2.0) ** 3
    assert cube.value.item() == 8
    assert cube.slopes.dense().item() == 24
    assert cube.generated.item() == 84


def test_a_product_has_the_cross_term_twice() -> None:
    x = jet_of_time(2.0)
    by_product, by_power = x * x, x**2
    assert by_product.generated.item() == by_power.generated.item() == 3 * 4 + 4 * 2


def test_work_in_place_is_refused() -> None:
    with pytest.raises(Unsupported, match="in place"):
        jet_of_time(1.0).mul_(2)
    with pytest.raises(Unsupported, match="in place"):
        jet_of_time(1.0)[0] = 2.0


def test_gradients_by_parameters_pass_through_jets() -> None:
    theta = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    generated = (theta * jet_of_time(2.0) ** 2).exp().generated
    (slope,) = torch.autograd.grad(generated.sum(), theta)
    # G exp(θx²) = e^{θx²}[θ G(x²) + θ² |∂x²|²] with G(x²) = 20 and |∂x²|² = 64 at x = 2
    t = theta.detach()
    growth = (4 * t).exp()
    expected = growth * (4 * (20 * t + 64 * t**2) + 20 + 128 * t)
    torch.testing.assert_close(slope, expected)
