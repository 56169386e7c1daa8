"""How much faster do several processes train one model, and is it the same model?

The default U-Net on images, or the default residual network on rows, for the same steps in one
process and in several under torchrun, one thread each. The limit of the speed-up is the number of
processes. By the wall clock it means something on an idle machine alone, so the table says how busy
that was; the processor time of process 0 says what an idle one could reach, waiting left out. The
first steps are left out of both. The difference is that of the averaged weights.

    python -m benchmarks.several_processes [--processes 2] [--steps 30]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import torch

from benchmarks.overhead import images
from scorematching.data import Dataset, from_array
from scorematching.defaults import settled
from scorematching.fitting import loss_of
from scorematching.forms import Form
from scorematching.preparing import in_memory
from scorematching.random import normal, seeded
from scorematching.settling import training_settings
from scorematching.storage import pack_tensors, unpack_tensors
from scorematching.training import joined, train

SKIPPED = 5  # steps before the clock starts
CASES = {"rows of 20 numbers": 20, "images of 8 × 8": 8}


def data_of(case: str) -> Dataset:
    """Rows of the kind that a case names."""
    if case.startswith("images"):
        return images(CASES[case])
    rows = normal((4000, CASES[case]), torch.zeros((), dtype=torch.float64), seeded(case))
    return from_array(rows.cumsum(1))


def worker(case: str, steps: int, out: Path) -> None:
    """Train in this process and those beside it; process 0 writes its times and the weights."""
    torch.set_num_threads(1)
    data = data_of(case)
    changes = {"validation_fraction": 0.0}
    choice = settled(data, None, changes, SKIPPED + steps)
    configuration = choice.configuration
    ready = in_memory(data, None, None, choice, 0, None, Form.DATASET, "cpu")
    denoiser, rows = ready.model.denoiser, ready.rows
    settings = training_settings(configuration, 0, None)
    with joined() as processes:
        start = perf_counter(), process_time()
        for record in train(denoiser, loss_of(configuration), rows, settings, processes=processes):
            if record.step == SKIPPED:
                start = perf_counter(), process_time()
        if processes.first:
            spent = [perf_counter() - start[0], process_time() - start[1]]
            seconds = torch.tensor(spent, dtype=torch.float64) / steps
            state = {f"net.{name}": each for name, each in denoiser.net.state_dict().items()}
            out.write_bytes(pack_tensors({**state, "seconds": seconds}))


def measured(case: str, steps: int, processes: int, folder: Path) -> dict[str, torch.Tensor]:
    """Seconds a step, by the wall and the processor, and weights of a run in so many processes."""
    out = folder / f"{processes}"
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    words = ["-m", "benchmarks.several_processes", "--worker", case, "--steps", str(steps)]
    command = [sys.executable, *(launch if processes > 1 else []), *words, "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, check=True, env=environment)
    return unpack_tensors(out.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=2, help="how many (default 2)")
    parser.add_argument("--steps", type=int, default=30, help="steps that count (default 30)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.steps, options.out)
        return
    print("| | clock | ms a step, one | several | speed-up | limit | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            one = measured(case, options.steps, 1, Path(folder))
            several = measured(case, options.steps, options.processes, Path(folder))
        times = one.pop("seconds").tolist(), several.pop("seconds").tolist()
        gap = max(float((one[name] - several[name]).abs().max()) for name in one)
        busy = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
        for clock, a, b in zip((f"wall, {busy}", "processor"), *times, strict=True):
            print(
                f"| {case} | {clock} | {a * 1e3:.1f} | {b * 1e3:.1f} | {a / b:.2f} "
                f"| {options.processes} | {gap:.0e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
