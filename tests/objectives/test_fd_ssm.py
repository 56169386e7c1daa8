"""Finite-difference sliced score matching by hand; more in docs/contract.md."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scorematching.calculus import from_energy, score_of
from scorematching.errors import InvalidInput
from scorematching.hutchinson import GaussianProbes
from scorematching.objectives import fd_ssm, ssm
from scorematching.random import normal, seeded

X = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=torch.float64)


def quartic(x: Tensor) -> Tensor:
    return -(x**4).flatten(1).sum(1) / 4


def cube(x: Tensor) -> Tensor:
    return -(x**3)


def test_the_loss_of_a_score_by_hand() -> None:
    """s = −x³ at x = 2, v = ±1, ε = ½: s± = −15.625 and −3.375, slope −12.25, mean −9.5."""
    x = torch.tensor([2.0], dtype=torch.float64)
    rows = fd_ssm(cube, x, generator=seeded(0), epsilon=0.5)
    assert rows.item() == -12.25 + 9.5**2 / 2


def test_the_loss_of_a_log_density_by_hand() -> None:
    """f = −x⁴/4 at x = 2, ε = ½: f± = −9.765625 and −1.265625, f = −4."""
    x = torch.tensor([2.0], dtype=torch.float64)
    rows = fd_ssm(score_of(lambda x: -(x**4) / 4), x, generator=seeded(0), epsilon=0.5)
    assert rows.item() == (-9.765625 - 1.265625 + 8) / 0.25 + (-8.5) ** 2 / 2


def test_no_derivative_of_a_log_density_is_taken() -> None:
    """A log-density computed without gradients will do."""

    @torch.no_grad()
    def density(x: Tensor) -> Tensor:
        return quartic(x)

    rows = fd_ssm(score_of(density), X, 2, generator=seeded(0), epsilon=0.01)
    torch.testing.assert_close(
        rows, fd_ssm(score_of(quartic), X, 2, None, None, seeded(0), epsilon=0.01)
    )
    torch.testing.assert_close(
        rows, fd_ssm(from_energy(lambda x: -density(x)), X, 2, None, None, seeded(0), epsilon=0.01)
    )


def test_the_default_step_is_near_the_sliced_loss_in_both_precisions() -> None:
    x = normal((50, 4), X, seeded("x"))
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-2)):
        for score in (cube, score_of(quartic)):
            measured = fd_ssm(score, x.to(dtype), 2, False, None, seeded("v", str(dtype)))
            expected = ssm(cube, x.to(dtype), 2, False, None, seeded("v", str(dtype)))
            torch.testing.assert_close(measured, expected, rtol=tolerance, atol=tolerance)


def test_a_log_density_is_differentiated_where_the_whole_score_is_asked_for() -> None:
    one = fd_ssm(score_of(quartic), X, 2, True, None, seeded(0), epsilon=0.1)
    torch.testing.assert_close(one, fd_ssm(cube, X, 2, True, None, seeded(0), epsilon=0.1))
    plain = fd_ssm(score_of(quartic), X, 2, None, GaussianProbes(), seeded(0), epsilon=0.1)
    same = fd_ssm(score_of(quartic), X, 2, False, GaussianProbes(), seeded(0), epsilon=0.1)
    assert torch.equal(plain, same)


@pytest.mark.parametrize("event", [(), (3,), (2, 3), (2, 1, 3), (2, 2, 1, 2)])
def test_a_log_density_may_have_any_event_shape(event: tuple[int, ...]) -> None:
    x = normal((5, *event), X, seeded("event"))
    density = score_of(lambda x: -(x**4).reshape(5, -1).sum(1) / 4)
    flat = fd_ssm(density, x.reshape(5, -1), 2, None, None, seeded(0), epsilon=0.1)
    torch.testing.assert_close(fd_ssm(density, x, 2, None, None, seeded(0), epsilon=0.1), flat)


def test_the_loss_is_averaged_over_directions() -> None:
    together = fd_ssm(torch.sin, X, 3, False, GaussianProbes(), seeded("v"), epsilon=0.1)
    generator = seeded("v")
    single = [
        fd_ssm(torch.sin, X, 1, False, GaussianProbes(), generator, epsilon=0.1) for _ in "abc"
    ]
    torch.testing.assert_close(together, torch.stack(single).mean(0))


@pytest.mark.parametrize(
    ("score", "options", "complaint"),
    [
        (cube, {"epsilon": 0.0}, "epsilon must be positive and finite: got 0"),
        (cube, {"epsilon": -0.1}, r"got -0\.1"),
        (cube, {"n_probes": 0}, "n_probes must be an integer of at least 1"),
        (quartic, {}, r"got \(2,\)\. For a log-density, pass score_of"),
        (score_of(cube), {}, r"a log-density must return one number per row, shape \(2,\)"),
        (from_energy(cube), {}, "an energy must return one number per row"),
    ],
)
def test_what_makes_no_sense_is_refused(
    score: object, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        fd_ssm(score, X, **options)
