"""The rows that ``scorematching estimate`` reads, and the numbers of its table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from scorematching.cli.session import Messages
from scorematching.data import TableSchema, read
from scorematching.data.dataset import duplicate_notes
from scorematching.data.selection import unknown
from scorematching.errors import InvalidInput
from scorematching.estimation import Chunks, Estimate


def facts(found: Estimate, level: float) -> dict[str, Any]:
    """The numbers of the table; `null` where a parameter was fixed."""
    errors = found.std_errors.tolist()
    theta = found.theta.tolist()
    free = [place >= 0 for place in found.constraints.place.tolist()]
    z = [t / e if at and e > 0 else None for t, e, at in zip(theta, errors, free, strict=True)]
    return {
        "family": repr(found.family),
        "domain": repr(found.domain),
        "n": found.n,
        "names": list(found.names),
        "theta": theta,
        "std_errors": [e if at else None for e, at in zip(errors, free, strict=True)],
        "z": z,
        "p_values": [None if each is None else _p(each) for each in z],
        "conf_int": [
            each if at else None
            for each, at in zip(found.conf_int(level).tolist(), free, strict=True)
        ],
        "level": level,
        "covariance": found.theta_covariance.tolist(),
        "convention": found.convention,
        "objective": found.objective,
    }


def _p(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))


def rows_of(
    data: str,
    columns: list[str] | None,
    drop: list[str],
    cluster: str | None,
    stream: bool,
    messages: Messages,
) -> tuple[Any, tuple[str, ...]]:
    """The rows, in memory or in portions, and the names of their columns."""
    if cluster is not None and columns is not None and cluster in columns:
        raise InvalidInput(f"--cluster {cluster!r} is also in --columns. Leave it out of those.")
    if cluster is not None:
        there = chunks(data, "--cluster").names
        if cluster not in there:
            raise InvalidInput(f"{data}: {unknown('--cluster', cluster, there)}")
    left_out = [*drop, *([cluster] if cluster is not None and columns is None else [])]
    if stream:
        portions = chunks(data, "--stream", columns, left_out)
        return portions, portions.names
    rows = read(data, columns=columns, drop=left_out)
    if not isinstance(rows.schema, TableSchema):
        if rows.values.ndim != 2:
            raise InvalidInput(
                f"{data}: expected a table, rows of numbers: got rows of shape {rows.schema.event}."
            )
        return rows.values, tuple(f"column {j + 1}" for j in range(rows.values.shape[1]))
    constant = [each.name for each in rows.schema.columns if each.constant is not None]
    if constant:
        raise InvalidInput(
            f"{data}: column {constant[0]!r} is constant, which identifies no parameter of its "
            f"own. Leave it out: --drop '{constant[0]}'."
        )
    repeats = duplicate_notes(rows.values)  # of rows, which matter to score models alone
    for note in rows.notes:
        if note not in repeats:
            messages.note(note)
    return rows.values, tuple(column.name for column in rows.schema.modelled)


def chunks(
    data: str, option: str, columns: list[str] | None = None, drop: list[str] | None = None
) -> Chunks:
    """DATA in portions, or InvalidInput that names the option which asks for that."""
    if Path(data).suffix.lower() not in (".csv", ".tsv", ".parquet"):
        raise InvalidInput(f"{data}: {option} is for .csv, .tsv and .parquet files.")
    return Chunks(data, columns, drop=drop or ())
