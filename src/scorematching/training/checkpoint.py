"""The whole state of a run, to a folder and back, so that a resumed run is the same run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scorematching.errors import CorruptCheckpoint, InvalidInput
from scorematching.storage import (
    has_snapshot,
    pack_tensors,
    read_snapshot,
    unpack_tensors,
    write_snapshot,
)
from scorematching.training.run import Counters, Run
from scorematching.training.settings import TrainingSettings

FORMAT_VERSION = 2
#: What version 1 did not have yet, and did without.
ADDED_COUNTERS = {"loss_scale": 1.0, "good_steps": 0}
ADDED_SETTINGS = {"precision": "full"}
TENSORS = "state.safetensors"
FIELDS = "state.json"


def data_hash(rows: tuple[Tensor, ...]) -> str:
    """SHA-256 over dtypes, shapes and values of the data."""
    digest = hashlib.sha256()
    for tensor in rows:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().flatten().contiguous()
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_run(run: Run, folder: Path, data: str) -> None:
    """Write a checkpoint of the run; data is the `data_hash` of what it trains on."""
    write_snapshot(folder, f"step-{run.counters.step:08d}", run_files(run, data))


def run_files(run: Run, data: str) -> dict[str, bytes]:
    """The files of a checkpoint, by name."""
    tensors: dict[str, Tensor] = {}
    for prefix, state in _states(run).items():
        tensors.update({f"{prefix}/{name}": value for name, value in state.items()})
    written = {
        "format_version": FORMAT_VERSION,
        "machine": _machine(run),
        "data": data,
        "settings": asdict(run.settings),
        "counters": asdict(run.counters),
    }
    return {
        TENSORS: pack_tensors(tensors),
        FIELDS: json.dumps(written, indent=1, allow_nan=False).encode(),
    }


def load_run(run: Run, folder: Path, data: str) -> tuple[str, ...]:
    """Put the checkpoint of the folder into the run; returns what is worth a warning.

    Raises
    ------
    InvalidInput
        There is no checkpoint, or it is of other settings, data or another module.
    CorruptCheckpoint
        No checkpoint is good.
    """
    if not has_snapshot(folder):
        raise InvalidInput(f"{folder} holds no checkpoint to resume. Start without resume.")
    snapshot = read_snapshot(folder)
    return (*snapshot.warnings, *restore_run(run, snapshot.files, snapshot.path, data))


def restore_run(run: Run, files: Mapping[str, bytes], where: Path, data: str) -> tuple[str, ...]:
    """Put `run_files` into the run; where they are from is said in messages. As `load_run`."""
    written = _fields(files, where)
    _check_settings({**ADDED_SETTINGS, **written["settings"]}, run.settings)
    if written["data"] != data:
        raise InvalidInput(
            f"the data differ from those of the run in {where.parent}: resume with the same rows "
            "in the same order, or start a new run in another folder."
        )
    tensors = unpack_tensors(files[TENSORS])
    states = _split(tensors)
    module = run.module.state_dict()
    _check_state(states.get("module", {}), module)
    _check_state(states.get("averaged", {}), run.averaged.state_dict())
    _check_state(states.get("best", module), module)
    moments = _moments(run.optimizer, states.get("optimizer", {}), where)
    run.counters = _counters(written["counters"], where)
    run.module.load_state_dict(states["module"])
    run.averaged.load_state_dict(states["averaged"])
    best = states.get("best")
    like = run.averaged.module.state_dict()
    run.best = best and {name: value.to(like[name].device) for name, value in best.items()}
    groups = run.optimizer.state_dict()["param_groups"]
    run.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    then, now = written["machine"], _machine(run)
    if then == now:
        return ()
    changed = ", ".join(
        f"{key} {now[key]} (was {then.get(key)})" for key in now if now[key] != then.get(key)
    )
    return (f"the run goes on with {changed}: it equals an uninterrupted run only up to rounding.",)


def _machine(run: Run) -> dict[str, str | int]:
    """What the last bit of a sum depends on, besides the arithmetic."""
    device = next(run.module.parameters()).device.type
    return {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "device": device,
    }


def _states(run: Run) -> dict[str, dict[str, Tensor]]:
    moments = run.optimizer.state_dict()["state"]
    optimizer = {
        f"{i}/{key}": value for i, state in moments.items() for key, value in state.items()
    }
    states = {
        "module": run.module.state_dict(),
        "averaged": run.averaged.state_dict(),
        "optimizer": optimizer,
    }
    return states if run.best is None else {**states, "best": run.best}


def _split(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """ "module/weight" → ["module"]["weight"]."""
    states: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        prefix, _, rest = name.partition("/")
        states.setdefault(prefix, {})[rest] = value
    return states


def _fields(files: Mapping[str, bytes], where: Path) -> dict[str, Any]:
    if not {TENSORS, FIELDS} <= set(files):
        raise CorruptCheckpoint(f"{where} is not the checkpoint of a training run.")
    try:
        written = json.loads(files[FIELDS])
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpoint(f"{where / FIELDS} is not JSON.") from error
    version = written.get("format_version") if isinstance(written, dict) else None
    if version not in range(1, FORMAT_VERSION + 1):
        raise CorruptCheckpoint(
            f"{where / FIELDS} has format version {version}: this library reads up to "
            f"{FORMAT_VERSION}."
        )
    expected = {"machine": dict, "data": str, "settings": dict, "counters": dict}
    for name, kind in expected.items():
        if not isinstance(written.get(name), kind):
            raise CorruptCheckpoint(f"{where / FIELDS} has no usable field {name!r}.")
    return dict(written)


def _counters(written: dict[str, Any], where: Path) -> Counters:
    written = {**ADDED_COUNTERS, **written}
    if set(written) != {each.name for each in fields(Counters)}:
        raise CorruptCheckpoint(f"{where / FIELDS} has other counters than this version.")
    for name, value in written.items():
        absent = value is None and name in ("budget", "best_validation")
        if not absent and (not isinstance(value, int | float) or not math.isfinite(value)):
            raise CorruptCheckpoint(f"{where / FIELDS} has the counter {name} {value!r}.")
    return Counters(**written)


def _check_settings(written: dict[str, Any], settings: TrainingSettings) -> None:
    # Through JSON once, because it has no tuples.
    wanted = json.loads(json.dumps(asdict(settings)))
    differ = [
        f"{name} is {wanted.get(name)!r} and was {written.get(name)!r}"
        for name in sorted({*wanted, *written})
        if wanted.get(name) != written.get(name)
    ]
    if differ:
        raise InvalidInput(
            f"settings differ from those of the run to resume: {'; '.join(differ)}. The schedule "
            "and the noise depend on them: resume with the same, or start a new run."
        )


def _check_state(saved: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    def kinds(tensors: dict[str, Tensor]) -> dict[str, tuple[Any, ...]]:
        return {name: (tuple(each.shape), each.dtype) for name, each in tensors.items()}

    ours, theirs = kinds(state), kinds(saved)
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise InvalidInput(
                f"the module differs from that of the run to resume: {name} is {ours.get(name)} "
                f"and was {theirs.get(name)}. Resume with the same module."
            )


def _moments(
    optimizer: torch.optim.Optimizer, saved: dict[str, Tensor], where: Path
) -> dict[int, dict[str, Tensor]]:
    """State of AdamW by parameter number; of the right shapes, which its kernel does not check."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    expected: dict[str, tuple[tuple[int, ...], torch.dtype | None]] = {}
    for i, parameter in enumerate(parameters):
        like = (tuple(parameter.shape), parameter.dtype)
        expected |= {f"{i}/exp_avg": like, f"{i}/exp_avg_sq": like, f"{i}/step": ((), None)}
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in saved.items():
        shape, dtype = expected.get(name, (None, None))
        if tuple(value.shape) != shape or dtype not in (None, value.dtype):
            raise CorruptCheckpoint(f"{where / TENSORS} has an unusable moment {name!r}.")
        index, _, key = name.partition("/")
        moments.setdefault(int(index), {})[key] = value
    if any(len(state) != 3 for state in moments.values()):
        raise CorruptCheckpoint(f"{where / TENSORS} lacks some of the moments.")
    return moments
