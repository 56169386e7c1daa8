"""How much memory does an estimate from a file larger than it take?

A Gaussian of d = 50 correlated columns, n = 10⁷ rows in float32 (2 GB of values), is written to a
Parquet file in row groups of 2¹⁷ rows, and estimated from it in portions by a process of its own,
θ̂ alone and with one thread. The figure is that process's largest resident set, which includes
what Python and torch take before the first row (measured too). Aim: below 1 GiB. The estimate is
compared with the precision matrix that the rows were drawn from, in units of its standard error.

    python -m benchmarks.estimation_memory [--rows 10000000] [--folder /tmp]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

D = 50
GROUP = 2**17
AIM = 1024  # MiB
MEBI = 2**20
SEED = 0


def mixing() -> np.ndarray:
    """x = Bz: neighbours correlate, and scales differ by a hundred."""
    return (np.eye(D) + 0.4 * np.eye(D, k=-1)) * np.logspace(-1, 1, D)[:, None]


def write(path: Path, n: int) -> None:
    """n rows with mean 1, in float32."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, mix = np.random.default_rng(SEED), mixing().astype(np.float32)
    names = [f"x{j + 1}" for j in range(D)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for first in range(0, n, GROUP):
            z = rng.standard_normal((min(GROUP, n - first), D), dtype=np.float32)
            columns = np.ascontiguousarray((1 + z @ mix.T).T)
            writer.write_table(pa.table(dict(zip(names, columns, strict=True)), schema))


def peak() -> float:
    """The largest resident set of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBI


def measure(path: Path) -> None:
    """Estimate from the file, and print what it took."""
    import torch

    import scorematching as sm
    from scorematching.estimation import Chunks

    torch.set_num_threads(1)
    family = sm.families.Gaussian(D)
    sm.estimate(family, torch.eye(D).repeat(3, 1) * torch.arange(1, 151)[:, None], covariance=None)
    before, start, used = peak(), time.perf_counter(), time.process_time()
    found = sm.estimate(family, Chunks(path), covariance=None)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    mix = mixing()
    K = np.linalg.inv(mix @ mix.T)
    got = family.matrices(found.theta)[0].numpy()
    error = np.sqrt((K**2 + np.outer(np.diag(K), np.diag(K))) / found.n)
    gap = float(np.abs((got - K) / error).max())
    print(json.dumps([found.n, before, peak(), wall, cpu, gap]))


def main() -> None:
    """Write, measure in a fresh process, delete, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10**7)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "rows.parquet"
        write(path, options.rows)
        size = path.stat().st_size / MEBI
        command = [sys.executable, "-m", "benchmarks.estimation_memory", "--measure", str(path)]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    n, before, most, wall, cpu, gap = json.loads(done.stdout)
    print("| rows | file, MiB | before, MiB | peak, MiB | of aim | wall, s | CPU, s | gap, SE |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {n:,} | {size:,.0f} | {before:.0f} | {most:.0f} | {most / AIM:.2f} | {wall:.0f} | "
        f"{cpu:.0f} | {gap:.2f} |"
    )


if __name__ == "__main__":
    main()
