"""Is a resumed run the run that was never stopped, and what do kills and checkpoints cost?

Three tables. The limits: no difference in any bit of weights, moments' effects or records; no
snapshot lost that was reported as saved; and the arithmetic of a step with no loop around it.

    python -m benchmarks.resume [--cuts 20] [--kills 30]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.timing import ratio_to_limit
from scorematching.random import forked, normal, seeded
from scorematching.storage import read_snapshot
from scorematching.training import Interrupted, Interrupts, Record, TrainingSettings, train

STEPS = 300
SETTINGS = TrainingSettings(
    STEPS, batch_size=64, warmup_steps=30, validate_every=25, checkpoint_every=40
)
ROWS = (normal((500, 8), torch.zeros(()), seeded("rows")),)
FATE = {
    "new": "the save that was under way is complete",
    "old": "the save before it is current",
    "lost": "a save that was reported is gone, or what loads is damaged",
}
WRITER = """
import sys
from pathlib import Path
from scorematching.storage import write_snapshot
for i in range(100_000):
    files = {"i": b"%d" % i, "big": b"%d" % (i % 10) * 2_000_000}
    write_snapshot(Path(sys.argv[1]), f"s{i}", files)
    print(i, flush=True)
"""


def module(width: int = 64) -> nn.Module:
    """Dropout and running statistics, which a resumed run must bring back as well."""
    with forked("weights"):
        hidden = [nn.Linear(8, width), nn.BatchNorm1d(width), nn.SiLU(), nn.Dropout(0.2)]
        return nn.Sequential(*hidden, nn.Linear(width, 8))


def loss(net: nn.Module, batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
    """Denoising: E ½‖D(x + z) − x‖²."""
    (x,) = batch
    return 0.5 * (net(x + normal(tuple(x.shape), x, generator)) - x).square().sum(1)


def validate(net: nn.Module) -> float:
    with torch.no_grad():
        return float(loss(net, ROWS, seeded("validation")).mean())


def run(net: nn.Module, folder: Path, *, until: int | None, resume: bool) -> list[Record]:
    """The records of a stretch of the run, up to an interruption after a step if one is asked."""
    stop, records = Interrupts(), []
    stream = train(
        net, loss, ROWS, SETTINGS, validate=validate, folder=folder, resume=resume, interrupts=stop
    )
    with suppress(Interrupted):  # the interruption asked for: it ends the stretch
        for record in stream:
            records.append(replace(record, seconds=0.0, rows_per_second=0.0, event=None))
            if until is not None and record.step >= until - 1:
                stop.signum = 15
    return records


def resumed_runs(cuts: int) -> Iterator[tuple[int, int, float, int]]:
    """For each random cut: its step, weights that differ, largest difference, records that do."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        straight = module()
        expected = run(straight, Path(folder) / "straight", until=None, resume=False)
        for step in sorted(draw.sample(range(2, STEPS), cuts)):
            resumed, where = module(), Path(folder) / str(step)
            records = run(module(), where, until=step, resume=False)
            records += run(resumed, where, until=None, resume=True)
            pairs = zip(resumed.state_dict().values(), straight.state_dict().values(), strict=True)
            gaps = [(a - b).abs() for a, b in pairs]
            yield (
                step,
                sum(int(gap.count_nonzero()) for gap in gaps),
                max(float(gap.max()) for gap in gaps),
                sum(a != b for a, b in zip(records, expected, strict=True)),
            )


def killed_writers(kills: int) -> Counter[str]:
    """What ``kill -9`` at random moments of a process that saves all the time leaves behind."""
    draw, fates = random.Random(0), Counter(dict.fromkeys(FATE, 0))
    with tempfile.TemporaryDirectory() as folder:
        for kill in range(kills):
            root = Path(folder) / str(kill)
            command = [sys.executable, "-c", WRITER, str(root)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout is not None
                reported = int(writer.stdout.readline())
                time.sleep(draw.uniform(0.0, 0.1))
                writer.kill()
                reported = max([reported, *map(int, writer.stdout.read().split())])
            loaded = read_snapshot(root)
            i = int(loaded.files["i"])
            whole = loaded.files["big"] == b"%d" % (i % 10) * 2_000_000 and not loaded.warnings
            fates["lost" if not whole or i < reported else "new" if i > reported else "old"] += 1
    return fates


def bare_steps(count: int, width: int) -> None:
    """The arithmetic of the loop's steps and nothing else: no records, checks or averages."""
    net = module(width).train()
    optimizer = torch.optim.AdamW(net.parameters(), betas=(0.9, 0.99), fused=True)
    generator = seeded("bare")
    for step in range(count):
        start = step * 64 % 400
        loss(net, (ROWS[0][start : start + 64],), generator).mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def looped_steps(count: int, width: int, every: int | None) -> None:
    settings = replace(
        SETTINGS, max_steps=count, validate_every=None, checkpoint_every=every or count
    )
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "run" if every else None
        for _ in train(module(width), loss, ROWS, settings, folder=where):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cuts", type=int, default=20, help="random cuts of a run (default 20)")
    parser.add_argument("--kills", type=int, default=30, help="random kills (default 30)")
    options = parser.parse_args()
    torch.set_num_threads(1)

    print(f"Runs of {STEPS} steps, stopped at random and resumed, against one never stopped:\n")
    print("| cut after step | weights that differ | largest difference | records that differ |")
    print("|---|---|---|---|")
    for step, weights, gap, records in resumed_runs(options.cuts):
        print(f"| {step} | {weights} | {gap:g} | {records} |")

    print(f"\n{options.kills} processes that save 2 MB all the time, killed at random moments:\n")
    print("| afterwards | processes |")
    print("|---|---|")
    for fate, count in killed_writers(options.kills).items():
        print(f"| {FATE[fate]} | {count} |")

    print("\nSteps of the loop against their arithmetic alone, batch 64, median and quartiles:\n")
    print("| parameters | checkpoints | time ratio | ms a step |")
    print("|---|---|---|---|")
    for width, count in ((64, 400), (1024, 200)):
        size = sum(each.numel() for each in module(width).parameters())
        for every in (None, 100):
            ratio = ratio_to_limit(
                lambda w=width, c=count, e=every: looped_steps(c, w, e),
                lambda w=width, c=count: bare_steps(c, w),
                repeats=5,
                warm_up=1,
            )
            kept = "none" if every is None else f"every {every} steps"
            print(f"| {size:,} | {kept} | {ratio} | {ratio.seconds / count * 1e3:.3f} |")


if __name__ == "__main__":
    main()
