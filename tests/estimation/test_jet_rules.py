"""Every rule against nested forward differentiation, on flat and on curved frames."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scorematching.domains import Domain, PositiveOrthant, Sphere
from scorematching.estimation import matching
from scorematching.estimation.jet import Jet
from scorematching.estimation.matching import along_by_nested_passes, frame_of
from scorematching.random import normal, seeded, uniform

functional = torch.nn.functional
LIKE = torch.zeros((), dtype=torch.float64)
N, D = 5, 4
W = normal((D, D), LIKE, seeded("matrix"))
FIRST, SECOND = torch.tril_indices(D, D)
POWERS = torch.tensor([0.5, 2.0, 3.0, -1.0], dtype=torch.float64)

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum and difference": lambda x: 3 - 2 * x + x.flip(1) - 1 + (1 - x),
    "sum of different columns": lambda x: x[:, :2] + x[:, 2:],
    "sum that broadcasts": lambda x: x + x[:, :1] + torch.ones(N, D).to(x),
    "product of pairs": lambda x: x[:, FIRST] * x[:, SECOND],
    "product of transposes": lambda x: (x.mT[FIRST] * x.mT[SECOND]).mT,
    "product that broadcasts": lambda x: x * x[:, :1] * POWERS,
    "outer product": lambda x: (x.unsqueeze(2) * x.unsqueeze(1)).flatten(1),
    "quotient": lambda x: x / x.sum(1, keepdim=True) + 2 / x + x / 3,
    "whole powers": lambda x: x**0 + x**1 + x**2 + x**-2 + x.square() + x.reciprocal(),
    "broken powers": lambda x: x**0.3 + x**POWERS,
    "power of a power": lambda x: x ** x[:, :1] + 2**x,
    "negative": lambda x: -(x.neg() * x),
    "roots": lambda x: x.sqrt() * x.rsqrt() ** 3,
    "exponentials": lambda x: x.exp() * x.expm1() + x.log() * x.log1p(),
    "waves": lambda x: x.sin() * x.cos() + x.sinh() * x.cosh(),
    "sigmoids": lambda x: x.tanh() * x.sigmoid() + functional.logsigmoid(x),
    "absolute": lambda x: (x - 0.5).abs() ** 1.5 + abs(x),
    "lgamma": lambda x: torch.lgamma(x) * x,
    "softmax": lambda x: x.softmax(1) + functional.softmax(x, dim=1) * x,
    "log-softmax": lambda x: torch.log_softmax(x, -1) + x.logsumexp(1)[:, None],
    "logaddexp": lambda x: torch.logaddexp(x, -2 * x),
    "matrix product": lambda x: (x @ W).tanh() * (x @ W[:, :1]),
    "einsum": lambda x: torch.einsum("ni,ij,nj->n", x, W, x)[:, None],
    "cat with a constant": lambda x: torch.cat([x.log(), x.new_ones(N, 1), x[:, :1]], 1),
    "stack": lambda x: torch.stack([x[:, 0], *x.unbind(1)], 1).sin(),
    "where": lambda x: torch.where(x > 0.5, x**2, x) + x.where(x > 0.4, 0.3),
    "reductions": lambda x: x.cumsum(1) * x.mean(1, keepdim=True),
    "views": lambda x: x.unsqueeze(1).squeeze(1).reshape(N, D).contiguous().clone() ** 2,
    "steps": lambda x: x * torch.sign(x - 0.5),
    "detached": lambda x: x * x.detach(),
    "without a rule": lambda x: x.atan() + x.prod(1, keepdim=True) + x.clamp(min=0.4),
    "of two without a rule": lambda x: torch.atan2(x, x.flip(1) + 1) + torch.hypot(x, 2 * x),
    "norm": lambda x: x.norm(dim=1, keepdim=True),
}


@pytest.mark.parametrize("few", [0, 10], ids=["sparse", "dense"])
@pytest.mark.parametrize("domain", [PositiveOrthant(D), Sphere(D)], ids=["flat", "curved"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_rule_agrees_with_nested_passes(
    monkeypatch: pytest.MonkeyPatch, name: str, domain: Domain, few: int
) -> None:
    monkeypatch.setattr(matching, "FEW", few)
    x = 0.1 + 0.8 * uniform((N, D), LIKE, seeded("rules"))
    x = x / x.norm(dim=1, keepdim=True) if isinstance(domain, Sphere) else x
    frame = frame_of(domain, x)
    function = FUNCTIONS[name]
    found = function(Jet(x, frame.directions, frame.drift))
    assert isinstance(found, Jet)
    slopes, generated = along_by_nested_passes(function, x, frame)
    torch.testing.assert_close(found.value, function(x), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(found.slopes.dense(), slopes.dense(), rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(found.generated, generated, rtol=1e-10, atol=1e-11)


def test_questions_about_a_jet_are_answered_plainly() -> None:
    x = uniform((N, D), LIKE, seeded("plain"))
    frame = frame_of(PositiveOrthant(D), x)
    jet = Jet(x, frame.directions, frame.drift)
    assert jet.shape == x.shape
    assert (jet.ndim, jet.dtype, len(jet)) == (2, torch.float64, N)
    assert torch.equal(jet > 0.5, x > 0.5)
    assert not isinstance(jet.argmax(1), Jet)
