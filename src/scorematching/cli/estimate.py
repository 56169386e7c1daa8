"""``scorematching estimate``: estimates and standard errors of an unnormalised density."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorematching.cli import options, parsing
from scorematching.cli.session import Messages, finite
from scorematching.errors import InvalidInput

if TYPE_CHECKING:
    from scorematching.estimation import Chunks, Estimate

FORMAT_VERSION = 1
FAMILY = (
    "gaussian, pairwise(a,b), exp-sqrt, dirichlet, ppi, von-mises-fisher, bingham, "
    "fisher-bingham, watson, von-mises, gamma, weibull, beta, exponential-power, polynomial(k) "
    "or independent-components."
)
DOMAIN = (
    "Where the rows live: euclidean, positive-orthant, box(low,high), ball(r), sphere, circle, "
    "flat-simplex, sqrt-simplex or log-ratio-simplex. Default: the family's own."
)
WEIGHT = (
    "How rows count near the boundary, x being the distance from it: x, x^p, min(x,c), "
    "min(x,c)^p, log(1+x), minsq(c) or prodsq(c). Default: the domain's own."
)
EPILOG = (
    "Example: scorematching estimate gaussian data.csv --domain positive-orthant "
    "--weight min(x,3) --out result.json\n\n"
    "Example: scorematching estimate dirichlet parts.parquet --fixed beta[1]=-0.8 --cluster site "
    "--json\n\n"
    "Quote brackets for your shell: --weight 'min(x,3)'.\n\n"
    "Keys of --json and of FILE: command, format_version, data, columns, family, domain, weight, "
    "n, names, theta, std_errors (or null), z, p_values, conf_int (low and high), level, "
    "covariance (or null), convention, objective (mean loss), fixed, ridge, cluster, seed, out, "
    "notes."
)


def estimate(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help=f"One of {FAMILY}", show_default=False)
    ],
    data: options.Data,
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="These columns alone, in this order; may be repeated. Default: all.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…", help="Leave these columns out.", rich_help_panel=options.DATA_PANEL
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Rows alike in this column depend on each other: cluster-robust errors. Of .csv, "
            ".tsv and .parquet.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Read a .csv, .tsv or .parquet file larger than memory in portions, twice.",
            rich_help_panel=options.DATA_PANEL,
        ),
    ] = False,
    domain: Annotated[
        str | None,
        typer.Option(metavar="DOMAIN", help=DOMAIN, rich_help_panel=options.MODEL_PANEL),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(metavar="FORMULA", help=WEIGHT, rich_help_panel=options.MODEL_PANEL),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Hold a parameter at a value, beta[1]=-0.8; may be repeated.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = None,
    ridge: Annotated[
        float,
        typer.Option(
            metavar="LAMBDA",
            help="Add half of LAMBDA times the squared parameters, at least 0.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = 0.0,
    seed: Annotated[
        int,
        typer.Option(
            help="Of the starts of families that are not linear in their parameters.",
            rich_help_panel=options.MODEL_PANEL,
        ),
    ] = 0,
    level: Annotated[
        float,
        typer.Option(
            metavar="LEVEL",
            help="Of the intervals, between 0 and 1.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = 0.95,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write the result as .json. Default: print the table alone.",
            rich_help_panel=options.OUTPUT_PANEL,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Estimate FAMILY from the rows of DATA by score matching, with standard errors.

    The table goes to standard output: estimate, standard error, z, p and interval of each
    parameter. With --json it is one JSON object instead.
    """
    held = _fixed(fixed or [])
    chosen = None if columns is None else parsing.names("--columns", columns)
    dropped = [] if drop is None else parsing.names("--drop", drop)
    if not 0 < level < 1:
        raise InvalidInput(f"--level must lie between 0 and 1, 0.95 say: got {level:g}.")
    if weight is not None and domain is None:
        raise InvalidInput("--weight has no effect without --domain, positive-orthant say.")
    messages = Messages(quiet, as_json)
    with messages.warnings_noted():
        from scorematching.data.atomic import check_free, new_file
        from scorematching.estimation import ClusterRobust, Sandwich
        from scorematching.estimation import estimate as estimated
        from scorematching.estimators import spelling

        if out is not None:
            if out.suffix.lower() != ".json":
                raise InvalidInput(f"--out {out}: expected a .json file: got {out.suffix!r}.")
            check_free(out, overwrite)
        measure = None if weight is None else spelling.weight(weight)
        rows, names = _rows(data, chosen, dropped, cluster, stream, messages)
        model = spelling.family(family, len(names))
        where = None if domain is None else spelling.domain(domain, len(names), measure)
        labels = None if cluster is None else _chunks(data, "--cluster").column(cluster)
        found = estimated(
            model,
            rows,
            domain=where,
            fixed=held,
            ridge=ridge,
            covariance=Sandwich() if labels is None else ClusterRobust(labels),
            seed=seed,
        )
        result = {
            "command": "estimate",
            "format_version": FORMAT_VERSION,
            "data": data,
            "columns": list(names),
            **_facts(found, level),
            "weight": weight,
            "fixed": held,
            "ridge": ridge,
            "cluster": cluster,
            "seed": seed,
            "out": None if out is None else str(out),
            "notes": [*found.notes, *messages.notes],
        }
        if out is not None:
            text = json.dumps(finite(result), indent=1, allow_nan=False, ensure_ascii=False)
            with new_file(out, overwrite) as path:
                path.write_text(text + "\n", encoding="utf-8")
    if not quiet and not as_json:
        print(found.summary(level))
    if out is not None:
        messages.say("wrote", str(out))
    messages.result(result)


def _facts(found: Estimate, level: float) -> dict[str, Any]:
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
    import math

    return math.erfc(abs(z) / math.sqrt(2))


def _rows(
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
    left_out = [*drop, *([cluster] if cluster is not None and columns is None else [])]
    if stream:
        chunks = _chunks(data, "--stream", columns, left_out)
        return chunks, chunks.names
    from scorematching.data import TableSchema, read
    from scorematching.data.dataset import duplicate_notes

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


def _chunks(
    data: str, option: str, columns: list[str] | None = None, drop: list[str] | None = None
) -> Chunks:
    """DATA in portions, or InvalidInput that names the option which asks for that."""
    from scorematching.estimation import Chunks

    if Path(data).suffix.lower() not in (".csv", ".tsv", ".parquet"):
        raise InvalidInput(f"{data}: {option} is for .csv, .tsv and .parquet files.")
    return Chunks(data, columns, drop=drop or ())


def _fixed(texts: list[str]) -> dict[str, float]:
    """NAME=VALUE, each once."""
    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.rpartition("="))
        try:
            number = float(value)
        except ValueError:
            number = None
        if not equals or not name or number is None:
            raise InvalidInput(f"--fixed must be NAME=VALUE, beta[1]=-0.8 say: got {text!r}.")
        if name in found:
            raise InvalidInput(f"--fixed names {name!r} twice.")
        found[name] = number
    return found
