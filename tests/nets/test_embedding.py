"""How the networks are told the noise level, the class and the condition."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scorematching.errors import InvalidInput
from scorematching.nets.embedding import Conditioning
from scorematching.random import forked


def conditioning(
    n_classes: int = 0, n_conditions: int = 0, *, droppable: bool = False
) -> Conditioning:
    with forked("conditioning"):
        return Conditioning(8, 4, n_classes, n_conditions, droppable=droppable)


def test_the_features_are_waves_of_the_log_level_from_a_quarter_to_sixteen_radians() -> None:
    module = conditioning()
    seen = []
    module.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    log_sigma = torch.tensor([-4.0, 0.0, 3.0])
    module(log_sigma)
    frequencies = [0.25, 1.0, 4.0, 16.0]
    expected = [
        [v / 2, *(math.sin(v * f) for f in frequencies), *(math.cos(v * f) for f in frequencies)]
        for v in log_sigma.tolist()
    ]
    torch.testing.assert_close(seen[0], torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_the_class_is_added_before_the_last_activation() -> None:
    module = conditioning(3)
    assert module.classes is not None
    log_sigma, classes = torch.zeros(3), torch.tensor([2, 0, 2])
    hidden = []
    module.layers.register_forward_hook(lambda *call: hidden.append(call[2]))
    out = module(log_sigma, classes)
    expected = nn.functional.silu(hidden[0] + module.classes.weight[classes])
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(out[0], out[2])
    assert not torch.equal(out[0], out[1])


@pytest.mark.parametrize(("n_classes", "n_conditions"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_rows_are_given_exactly_what_the_network_was_built_for(
    n_classes: int, n_conditions: int
) -> None:
    module = conditioning(n_classes, n_conditions)
    classes, condition = torch.zeros(2, dtype=torch.int64), torch.zeros(2, 2)
    right = [*([classes] if n_classes else []), *([condition] if n_conditions else [])]
    assert module(torch.zeros(2), *right).shape == (2, 8)
    wrongs = [[], [classes], [condition], [classes, condition], [classes[:1], condition]]
    wrongs += [[condition, classes], [condition[:, :1]], [classes[:, None]]]
    for wrong in wrongs:
        if [each.shape for each in wrong] != [each.shape for each in right]:
            message = f"built for {n_classes} classes and {n_conditions} conditions"
            with pytest.raises(InvalidInput, match=message):
                module(torch.zeros(2), *wrong)


def test_the_condition_goes_through_two_layers_followed_by_a_one() -> None:
    module = conditioning(0, 2, droppable=True)
    assert module.condition is not None
    log_sigma, condition = torch.zeros(3), torch.tensor([[1.0, -2.0], [math.nan] * 2, [0.0, 0.0]])
    hidden = []
    module.layers.register_forward_hook(lambda *call: hidden.append(call[2]))
    out = module(log_sigma, condition)
    seen = torch.tensor([[1.0, -2.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(out, nn.functional.silu(hidden[0] + module.condition(seen)))
    assert not torch.equal(out[1], out[2])  # nothing known is not the mean condition


def test_a_row_that_is_told_nothing_has_a_class_of_its_own() -> None:
    module = conditioning(3, droppable=True)
    assert module.classes is not None
    assert module.classes.weight.shape == (4, 8)
    out = module(torch.zeros(4), torch.tensor([0, 1, 2, -1]))
    assert len({tuple(row) for row in out.tolist()}) == 4
    with pytest.raises(IndexError):
        conditioning(3)(torch.zeros(1), torch.tensor([-1]))


def test_without_dropout_a_condition_of_nan_is_not_taken_for_anything() -> None:
    out = conditioning(0, 2)(torch.zeros(1), torch.full((1, 2), math.nan))
    assert bool(out.isnan().all())


def test_frequencies_are_constants_that_are_not_saved() -> None:
    assert "frequencies" not in conditioning().state_dict()
    assert "frequencies" not in dict(conditioning().named_parameters())
