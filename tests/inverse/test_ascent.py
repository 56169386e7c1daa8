"""Truncated Newton steps by gradients alone: known maxima, few evaluations, rows on their own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from claims.truths import tensor
from scorematching.inverse.ascent import Ascent, Field, ascend
from scorematching.random import normal, seeded

CURVATURES = torch.logspace(0, 4, 10, dtype=torch.float64)
PEAK = torch.linspace(-1, 1, 10, dtype=torch.float64)


def quadratic(x: Tensor) -> tuple[Tensor, Tensor]:
    """−½ Σ cⱼ (xⱼ − mⱼ)², curvatures from 1 to 10,000."""
    ours, theirs = -CURVATURES.to(x) * x, (CURVATURES * PEAK).to(x)
    return ours + theirs, ours.norm(dim=1) + theirs.norm()


def banana(x: Tensor) -> tuple[Tensor, Tensor]:
    """Minus Rosenbrock's function, with its maximum at (1, 1)."""
    u, v = x.T
    ours = torch.stack([400 * u * (v - u**2), -200 * (v - u**2)], 1)
    theirs = torch.stack([2 * (1 - u), torch.zeros_like(u)], 1)
    return ours + theirs, ours.norm(dim=1) + theirs.norm(dim=1)


def wells(x: Tensor) -> tuple[Tensor, Tensor]:
    """x²/2 − x⁴/4: maxima at ±1, a minimum at 0, where the curvature has the wrong sign."""
    return x - x**3, (x.abs() + (x**3).abs())[:, 0]


def run(field: Field, x: Tensor, **options: float) -> Ascent:
    options = {"unit": 1.0, "tolerance": 1e-10, "max_steps": 200} | options
    return ascend(field, x, **options)  # type: ignore[arg-type]


def test_a_quadratic_is_solved_in_few_products_of_its_matrix() -> None:
    x = normal((4, 10), PEAK, seeded("start"))
    result = run(quadratic, x)
    assert result.converged.all()
    torch.testing.assert_close(result.x, PEAK.expand(4, 10), rtol=0, atol=1e-6)
    assert result.n_evaluations < 500  # plain ascent would need some κ ln 10^10 = 230,000


def test_a_curved_valley_is_followed_to_its_end() -> None:
    result = run(banana, tensor([[-1.2, 1.0], [0.0, 0.0], [3.0, -4.0]]))
    assert result.converged.all()
    torch.testing.assert_close(result.x, torch.ones_like(result.x), rtol=0, atol=1e-6)


def test_where_the_curvature_has_the_wrong_sign_it_still_goes_up() -> None:
    x = tensor([[-2.0], [-0.3], [-1e-3], [1e-3], [0.3], [2.0]])
    result = run(wells, x)
    assert result.converged.all()
    torch.testing.assert_close(result.x, x.sign(), rtol=0, atol=1e-8)


def test_a_row_does_not_depend_on_the_others() -> None:
    x = tensor([[-1.2, 1.0], [0.0, 0.0], [3.0, -4.0]])
    together = run(banana, x)
    for i in range(3):
        alone = run(banana, x[i : i + 1])
        assert torch.equal(alone.x, together.x[i : i + 1])
        assert alone.n_evaluations <= together.n_evaluations


def test_too_few_steps_are_told_by_row() -> None:
    x = tensor([[1.0, 1.0], [-1.2, 1.0]])
    result = run(banana, x, max_steps=2)
    assert result.converged.tolist() == [True, False]
    gradient, scale = banana(result.x)
    expected = gradient.norm(dim=1) / scale.clamp(min=1e-300)
    torch.testing.assert_close(result.imbalance, expected)
    assert torch.equal(result.x[0], x[0])


def test_a_gradient_that_is_no_number_stops_its_row_alone() -> None:
    def broken(x: Tensor) -> tuple[Tensor, Tensor]:
        gradient, scale = wells(x)
        return torch.where(x > 5, torch.nan, gradient), scale

    result = run(broken, tensor([[6.0], [0.3]]))
    assert result.converged.tolist() == [False, True]
    assert result.x.tolist()[0] == [6.0]
    assert result.x[1].item() == pytest.approx(1)


def test_a_step_that_passes_the_top_is_halved() -> None:
    """−log cosh x, whose Newton step from 3 leads to −98."""

    def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
        return -x.tanh(), 1 + x.abs()[:, 0].tanh()

    result = run(slopes, tensor([[3.0], [-6.0], [0.1]]))
    assert result.converged.all()
    torch.testing.assert_close(result.x, torch.zeros_like(result.x), rtol=0, atol=1e-8)
    assert result.n_evaluations < 60


def test_a_step_into_numbers_that_are_none_is_halved() -> None:
    """log x − x, whose Newton step from 3 leads to −3, where there is no gradient."""

    def logarithm(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(x > 0, 1 / x - 1, torch.nan), (1 / x.abs() + 1)[:, 0]

    result = run(logarithm, tensor([[3.0]]), unit=0.1)
    assert result.converged.all()
    assert result.x.item() == pytest.approx(1)


@pytest.mark.parametrize("event", [(), (2,), (1, 2, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_event_rank_and_dtype(event: tuple[int, ...], dtype: torch.dtype) -> None:
    def field(x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.flatten(1) if x.ndim > 1 else x[:, None]
        return 3 - x, flat.norm(dim=1) + 3 * flat.shape[1] ** 0.5

    x = normal((4, *event), torch.zeros((), dtype=dtype), seeded("x"))
    result = run(field, x, tolerance=1e-6)
    assert result.x.dtype == dtype
    assert result.converged.all()
    torch.testing.assert_close(result.x, torch.full_like(x, 3), rtol=1e-5, atol=0)


def test_rows_already_there_stay() -> None:
    x = PEAK.expand(2, 10)
    result = run(quadratic, x)
    assert torch.equal(result.x, x)
    assert result.converged.all()
    assert result.n_evaluations == 1
