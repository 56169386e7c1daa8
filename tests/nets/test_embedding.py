"""How the networks are told the noise level and the class."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scorematching.errors import InvalidInput
from scorematching.nets.embedding import Conditioning
from scorematching.random import forked


def conditioning(n_classes: int = 0) -> Conditioning:
    with forked("conditioning"):
        return Conditioning(8, n_frequencies=4, n_classes=n_classes)


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
    assert torch.equal(out[0], out[2])
    assert not torch.equal(out[0], out[1])


@pytest.mark.parametrize("n_classes", [0, 3])
def test_classes_are_given_exactly_where_there_are_some(n_classes: int) -> None:
    wrong = None if n_classes else torch.zeros(2, dtype=torch.int64)
    with pytest.raises(InvalidInput, match=f"built for {n_classes} classes"):
        conditioning(n_classes)(torch.zeros(2), wrong)


def test_frequencies_are_constants_that_are_not_saved() -> None:
    assert "frequencies" not in conditioning().state_dict()
    assert "frequencies" not in dict(conditioning().named_parameters())
