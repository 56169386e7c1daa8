"""Fixed probes: unbiased over seeds, the same for every row and every call."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from scorematching.calculus import Exact
from scorematching.errors import InvalidInput
from scorematching.hutchinson import GaussianProbes, Probes, Rademacher, SphereProbes
from scorematching.likelihood import FixedProbes
from scorematching.random import normal, seeded

F64 = torch.float64
MATRIX = normal((4, 4), torch.zeros((), dtype=F64), seeded("matrix"))


def curved(x: Tensor) -> Tensor:
    """A map with a full Jacobian that depends on x."""
    return torch.tanh(x.flatten(1) @ MATRIX.to(x)).view(x.shape)


@pytest.mark.parametrize("law", [Rademacher(), GaussianProbes(), SphereProbes()], ids=repr)
@pytest.mark.parametrize("event", [(4,), (2, 2), (1, 2, 2)])
def test_the_trace_is_unbiased_over_seeds(law: Probes, event: tuple[int, ...]) -> None:
    x = normal((3, *event), MATRIX, seeded("rows"))
    value, exact = Exact()(curved, x)
    draws = []
    for seed in range(200):
        score, trace = FixedProbes(1, law, seed)(curved, x)
        draws.append(trace)
        torch.testing.assert_close(score, value)
    traces = torch.stack(draws)
    assert bool(((traces.mean(0) - exact).abs() < 4 * traces.std(0) / math.sqrt(200)).all())


def test_the_trace_is_the_mean_over_probes() -> None:
    x = normal((3, 4), MATRIX, seeded("rows"))
    probes = FixedProbes(5, seed=2)
    _, forms = probes.quadratic_forms(curved, x)
    assert forms.shape == (5, 3)
    torch.testing.assert_close(probes(curved, x)[1], forms.mean(0))
    assert bool((forms.std(0) > 0.01).all())


def test_each_call_and_each_row_meets_the_same_probes() -> None:
    x = normal((3, 4), MATRIX, seeded("rows"))
    probes = FixedProbes(2, seed=7)
    together = probes(curved, x)[1]
    assert torch.equal(together, probes(curved, x)[1])
    torch.testing.assert_close(probes(curved, x[1:2])[1], together[1:2], rtol=1e-13, atol=1e-13)
    same = probes(curved, x[:1].expand(3, 4))[1]
    torch.testing.assert_close(same, same[:1].expand(3), rtol=1e-13, atol=1e-13)
    assert not torch.equal(together, FixedProbes(2, seed=8)(curved, x)[1])


def test_the_probes_do_not_depend_on_the_dtype() -> None:
    x = normal((3, 4), MATRIX, seeded("rows"))
    probes = FixedProbes(3, GaussianProbes(), seed=1)
    single, double = probes(curved, x.float())[1], probes(curved, x)[1]
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


def test_no_probes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="n_probes must be an integer of at least 1"):
        FixedProbes(0)
