"""A regression that trains in milliseconds and uses all that a resumed run must bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scorematching.random import forked, normal, seeded
from scorematching.training import (
    Interrupted,
    Interrupts,
    Record,
    TrainingSettings,
    train,
)

X = normal((90, 3), torch.zeros(()), seeded("toy"))
ROWS = (X, X.sin().sum(1, keepdim=True))


@dataclass
class Toy:
    """Least squares with noise on the inputs; the net has dropout and running statistics."""

    rows: tuple[Tensor, ...] = ROWS
    settings: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            50, batch_size=32, warmup_steps=8, validate_every=7, checkpoint_every=11
        )
    )
    seen: list[Tensor] = field(default_factory=list)

    @staticmethod
    def module() -> nn.Module:
        with forked("toy", "weights"):
            return nn.Sequential(
                nn.Linear(3, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Dropout(0.3), nn.Linear(8, 1)
            )

    def loss(self, module: nn.Module, batch: tuple[Tensor, ...], g: torch.Generator) -> Tensor:
        x, y = batch
        self.seen.append(x)
        noisy = x + 0.1 * normal(tuple(x.shape), x, g)
        return 0.5 * (module(noisy) - y).square().sum(1)

    @staticmethod
    def validate(module: nn.Module) -> float:
        with torch.no_grad():
            return float((module(ROWS[0]) - ROWS[1]).square().mean())

    def train(self, module: nn.Module | None = None, **changes: Any) -> Iterator[Record]:
        options: dict[str, Any] = {"validate": self.validate, **changes}
        module = self.module() if module is None else module
        rows, settings = options.pop("rows", self.rows), options.pop("settings", self.settings)
        return train(module, options.pop("loss", self.loss), rows, settings, **options)

    def train_until(
        self, step: int, folder: Path, *, done: int = 0, **changes: Any
    ) -> list[Record]:
        """Train on after the steps done, stopped as by a signal that arrives during a step."""
        stop, records = Interrupts(), []
        stop.signum = 15 if step == done + 1 else None
        try:
            for record in self.train(folder=folder, interrupts=stop, **changes):
                records.append(record)
                stop.signum = 15 if record.step >= step - 1 else None
        except Interrupted:
            assert records[-1].step == step
            return records
        raise AssertionError("the run was not interrupted")


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def same_state() -> Callable[[nn.Module, nn.Module], bool]:
    """Whether two modules hold the same parameters and buffers, bit for bit."""

    def same(a: nn.Module, b: nn.Module) -> bool:
        ours, theirs = a.state_dict(), b.state_dict()
        return ours.keys() == theirs.keys() and all(
            torch.equal(ours[name], theirs[name]) for name in ours
        )

    return same
