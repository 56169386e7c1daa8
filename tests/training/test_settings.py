"""Settings refuse what cannot work, by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scorematching.errors import InvalidInput
from scorematching.training import TrainingSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_steps": 0}, "max_steps must be an integer of at least 1: got 0"),
        ({"max_steps": 1.5}, "max_steps must be an integer"),
        ({"max_steps": True}, "max_steps must be an integer"),
        ({"batch_size": 0}, "batch_size"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
        ({"max_bad_batches": 0}, "max_bad_batches"),
        ({"validate_every": 0}, "validate_every"),
        ({"validate_every": 5, "patience": 0}, "patience"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"seed": "a"}, "seed must be an integer: got 'a'"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive and finite number: got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"learning_rate": "1e-3"}, "learning_rate"),
        ({"clip_norm": math.inf}, "clip_norm"),
        ({"average_half_life": -1.0}, "average_half_life"),
        ({"time_limit": 0.0}, "time_limit"),
        ({"time_limit": 5.0, "warmup_steps": 2}, "warmup_steps must be at least 3, got 2"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"betas": (0.9,)}, "betas"),
        ({"patience": 3}, "give validate_every as well"),
    ],
)
def test_a_value_out_of_range_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        TrainingSettings(**{"max_steps": 10, **changes})


def test_the_defaults_and_the_limits_of_the_ranges_work() -> None:
    TrainingSettings(1)
    TrainingSettings(1, warmup_steps=0, weight_decay=0.0, betas=(0.0, 0.0), seed=-1)
    TrainingSettings(1, warmup_steps=3, time_limit=1, learning_rate=1)
