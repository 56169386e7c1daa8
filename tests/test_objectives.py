"""What all objectives share: shapes, dtypes, derivatives, callables, randomness, complaints.

Values, minima and relations are the claims of docs/contract.md, tested in scripts/test_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from claims.every import FORMS, network, rows_of
from scorematching.calculus import score_of
from scorematching.errors import InvalidInput
from scorematching.noise import VP
from scorematching.objectives import ncsn
from scorematching.random import normal, seeded

DOUBLE = torch.float64
RANDOM = [form for form in FORMS if form not in ("esm", "ism, exact", "ism, regularised")]
every = pytest.mark.parametrize("form", FORMS)


def draw(n: int, d: int, dtype: torch.dtype = DOUBLE) -> Tensor:
    return normal((n, d), torch.zeros(1, dtype=DOUBLE), seeded("rows", n, d)).to(dtype)


def loss(form: str, score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return FORMS[form](score, x, seeded("loss", form))


@every
def test_single_precision_gives_single_precision(form: str) -> None:
    """Numbers are drawn anew in each dtype, so that only those without draws are compared."""
    single = rows_of(form, (2, 3), torch.float32)
    assert single.shape == (7,)
    assert single.dtype == torch.float32
    if form not in RANDOM:
        double = rows_of(form, (2, 3))
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_works(form: str, dtype: torch.dtype) -> None:
    rows = rows_of(form, (4,), dtype)
    assert rows.dtype == dtype
    assert rows.isfinite().all()


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3, dtype=DOUBLE)
        with torch.no_grad():
            self.inner.weight.copy_(draw(3, 3))
            self.inner.bias.copy_(draw(1, 3)[0])

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.silu(self.inner(x))


@every
def test_a_module_and_a_function_give_the_same_loss(form: str) -> None:
    module, x = Module(), draw(5, 3)
    rows = loss(form, module, x)
    torch.testing.assert_close(rows, loss(form, lambda x: module(x), x))
    rows.mean().backward()
    assert module.inner.weight.grad.abs().max() > 1e-3
    assert module.inner.bias.grad.abs().max() > 1e-3


@every
def test_a_score_that_differentiates_inside_itself_works(form: str) -> None:
    x = draw(5, 3)
    density = torch.distributions.Independent(
        torch.distributions.Normal(torch.zeros(3, dtype=DOUBLE), 2.0), 1
    )
    rows = loss(form, score_of(density), x)
    torch.testing.assert_close(rows.detach(), loss(form, lambda x: -x / 4, x))


@every
def test_a_score_that_is_constant_in_x_works(form: str) -> None:
    rows = loss(form, lambda x: torch.ones_like(x), x := draw(5, 3))
    assert rows.shape == (5,)
    if form == "ism, exact":
        torch.testing.assert_close(rows, torch.full((5,), 1.5, dtype=DOUBLE))
    if form == "esm":
        torch.testing.assert_close(rows, ((1 - x.cos() + x) ** 2).sum(1) / 2)


@every
def test_rows_do_not_mix(form: str) -> None:
    """A change in one row of x leaves the losses of the others, draws being the same."""
    x = draw(6, 3)
    moved = x.clone()
    moved[2] += 1
    before, after = loss(form, network(3), x), loss(form, network(3), moved)
    others = torch.arange(6) != 2
    assert torch.equal(before[others], after[others])
    assert before[2] != after[2]


@every
@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
def test_without_gradients_around_the_numbers_are_the_same(form: str, surroundings: object) -> None:
    module, x = Module(), draw(5, 3)
    expected = loss(form, module, x)
    with surroundings():
        rows = loss(form, module, x)
    assert expected.requires_grad
    assert not rows.requires_grad
    torch.testing.assert_close(rows, expected.detach())


@every
def test_x_may_require_a_gradient(form: str) -> None:
    x = draw(5, 3).requires_grad_()
    rows = loss(form, network(3), x)
    torch.testing.assert_close(rows.detach(), loss(form, network(3), x.detach()))
    assert torch.autograd.grad(rows.sum(), x)[0].abs().max() > 0


@pytest.mark.parametrize("form", RANDOM)
def test_the_generator_decides_the_draws(form: str) -> None:
    x = draw(5, 3)
    one, same = (FORMS[form](network(3), x, seeded(1)) for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, FORMS[form](network(3), x, seeded(2)))


@pytest.mark.parametrize("form", RANDOM)
def test_without_a_generator_draws_are_new_and_the_global_state_is_untouched(form: str) -> None:
    x, before = draw(5, 3), torch.random.get_rng_state()
    assert not torch.equal(FORMS[form](network(3), x, None), FORMS[form](network(3), x, None))
    assert torch.equal(before, torch.random.get_rng_state())


@every
@pytest.mark.parametrize("shape", [(5,), (5, 1), (3, 5), (5, 3, 1)])
def test_a_score_of_another_shape_is_refused(form: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"shaped like x, \(5, 3\)"):
        loss(form, lambda x: torch.zeros(shape, dtype=x.dtype), draw(5, 3))


@every
def test_rows_that_are_no_floating_batch_are_refused(form: str) -> None:
    with pytest.raises(InvalidInput, match="x must be a floating-point tensor"):
        loss(form, lambda x: x, torch.zeros(5, 3, dtype=torch.int64))
    with pytest.raises(InvalidInput, match="at most 4 event axes"):
        loss(form, lambda x: x, torch.zeros(1, 1, 1, 1, 1, 1))


def test_a_noisy_score_with_its_process_is_told_the_time_of_each_row() -> None:
    seen = []

    def noisy(x: Tensor, t: Tensor) -> Tensor:
        seen.append(t)
        return -x

    ncsn(noisy, draw(5, 3), VP(), generator=seeded(0))
    assert seen[0].shape == (5,)
    assert len(set(seen[0].tolist())) == 5
