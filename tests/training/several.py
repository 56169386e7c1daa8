"""Runs that two processes make together and one makes alone: what `test_processes` compares.

As a script under torchrun it makes all of them and writes what each process ended with.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scorematching.denoising import DenoisingLoss
from scorematching.errors import ScoreMatchingError
from scorematching.nets import (
    ConditionalBase,
    Ensemble,
    GaussianBase,
    PreconditionedDenoiser,
    ResidualMLP,
    UNet,
)
from scorematching.noise import EDM
from scorematching.objectives import LogNormalTimes
from scorematching.random import forked, normal, seeded
from scorematching.storage import pack_tensors
from scorematching.training import (
    Interrupted,
    Interrupts,
    Processes,
    Record,
    TrainingSettings,
    joined,
    train,
)

LIKE = torch.zeros((), dtype=torch.float64)
ROWS = normal((90, 3), LIKE, seeded("several")).cumsum(1)
IMAGES = normal((40, 1, 4, 6), LIKE, seeded("several images")).cumsum(3)
CLASSES = torch.arange(40) % 3
CONDITION = normal((40, 2), LIKE, seeded("several conditions"))
SETTINGS = TrainingSettings(50, batch_size=31, warmup_steps=8)
SHORT = replace(SETTINGS, max_steps=15)
LOSS = DenoisingLoss(EDM(0.01, 20.0), LogNormalTimes())
DROPPING = replace(LOSS, condition_dropout=0.3)


def tables(dropout: float, members: int = 1) -> nn.Module:
    with forked("several", "table"):
        nets = [ResidualMLP(3, 16, 1, dropout) for _ in range(members)]
    net = nets[0] if members == 1 else Ensemble(nets)
    return PreconditionedDenoiser(net.double(), GaussianBase.fit(ROWS))


def images() -> nn.Module:
    """Given classes and a condition, which some rows are not told."""
    with forked("several", "images"):
        net = UNet(2, 1, (8, 16), 0.3, 3, n_conditions=2, droppable=True).double()
    base = ConditionalBase.fit(IMAGES, CONDITION)
    return PreconditionedDenoiser(net, base, feed_base=True)


def validate(module: nn.Module) -> float:
    with torch.no_grad():
        return float(LOSS(module, (ROWS,), seeded("validate")).mean())


class Runs:
    """Every run, made by the processes given."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.processes, self.folder = processes, folder
        self.texts: dict[str, Any] = {}
        self.weights: dict[str, dict[str, Tensor]] = {}

    def all(self) -> None:
        self.plain()
        self.keep("ensemble", tables(0.3, members=3), (ROWS,), settings=SHORT)
        few = replace(SHORT, max_steps=5, batch_size=16)
        rows = (IMAGES, CLASSES, CONDITION)
        self.keep("images", images(), rows, settings=few, loss=DROPPING)
        self.stopped()
        self.bad()
        self.refused()

    def plain(self) -> None:
        """Validated and with other weights to begin with in process 1: those of 0 count."""
        module = tables(0.0)
        rows = self.texts.setdefault("rows a process", [])
        module.net.register_forward_pre_hook(lambda net, inputs: rows.append(len(inputs[0])))
        with torch.no_grad():
            module.net.inlet.weight.add_(float(self.processes.rank))
        seen: list[int] = []

        def counted(averaged: nn.Module) -> float:
            seen.append(1)
            return validate(averaged)

        settings = replace(SETTINGS, validate_every=10)
        self.keep("plain", module, (ROWS,), settings=settings, validate=counted)
        self.texts["validations"] = len(seen)

    def stopped(self) -> None:
        """A signal arrives at the last process after step 6; then the run is resumed."""
        interrupts, folder = Interrupts(), self.folder / "stopped"
        last = self.processes.rank == self.processes.size - 1

        def arrives(record: Record) -> None:
            if record.step == 6 and last:
                interrupts.signum = 15

        options = {"settings": SHORT, "folder": folder}
        try:
            self.keep("stopped", tables(0.1), (ROWS,), arrives, interrupts=interrupts, **options)
        except Interrupted as error:
            self.texts["status"] = error.exit_status
        self.keep("resumed", tables(0.1), (ROWS,), resume=True, **options)

    def bad(self) -> None:
        rows = ROWS.clone()
        rows[7] = torch.nan
        settings = replace(SETTINGS, max_steps=6, clip_norm=1e9)
        self.keep("bad", tables(0.0), (rows,), settings=settings)

    def refused(self) -> None:
        normed = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).double()
        alpha = nn.Sequential(nn.Linear(3, 3), nn.AlphaDropout(0.5)).double()
        other = ROWS + self.processes.rank
        tiny = replace(SETTINGS, batch_size=1)
        saved = self.folder / "stopped"
        for name, module, rows, options in (
            ("normed", normed, ROWS, {"loss": squares}),
            ("alpha", alpha, ROWS, {"loss": squares}),
            ("other rows", tables(0.0), other, {}),
            ("tiny", tables(0.0), ROWS, {"settings": tiny}),
            (
                "other settings",
                tables(0.0),
                ROWS,
                {"settings": replace(SETTINGS, seed=self.processes.rank)},
            ),
            ("taken", tables(0.0), ROWS, {"folder": saved}),
        ):
            try:
                self.keep(name, module, (rows,), **options)
            except ScoreMatchingError as error:
                self.texts[name] = f"{type(error).__name__}: {error}"

    def keep(
        self,
        name: str,
        module: nn.Module,
        rows: tuple[Tensor, ...],
        each: Callable[[Record], None] | None = None,
        **options: Any,
    ) -> None:
        settings, loss = options.pop("settings", SETTINGS), options.pop("loss", LOSS)
        found = []
        stream: Iterator[Record] = train(
            module, loss, rows, settings, processes=self.processes, **options
        )
        try:
            for record in stream:
                found.append([record.step, record.loss, record.gradient_norm, record.validation])
                found[-1].append(record.event)
                if each is not None:
                    each(record)
        finally:
            self.texts[f"{name} records"] = found
            self.weights[name] = {k: v.clone() for k, v in module.state_dict().items()}


def squares(module: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
    return module(batch[0]).square().sum(1)


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with joined() as processes:
        runs = Runs(processes, out)
        runs.all()
        tensors = {f"{n}/{k}": v for n, state in runs.weights.items() for k, v in state.items()}
        (out / f"{processes.rank}.safetensors").write_bytes(pack_tensors(tensors))
        (out / f"{processes.rank}.json").write_text(json.dumps(runs.texts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
