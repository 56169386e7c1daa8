"""``scorematching estimate``: estimates and standard errors of an unnormalised density."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scorematching.cli import options, parsing
from scorematching.cli.session import Messages, finite
from scorematching.errors import InvalidInput

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
        from scorematching.cli.estimated import chunks, facts, rows_of
        from scorematching.data.atomic import check_free, new_file
        from scorematching.estimation import ClusterRobust, Sandwich
        from scorematching.estimation import estimate as estimated
        from scorematching.estimators import spelling

        if out is not None:
            if out.suffix.lower() != ".json":
                raise InvalidInput(f"--out {out}: expected a .json file: got {out.suffix!r}.")
            check_free(out, overwrite)
        measure = None if weight is None else spelling.weight(weight)
        rows, names = rows_of(data, chosen, dropped, cluster, stream, messages)
        model = spelling.family(family, len(names))
        where = None if domain is None else spelling.domain(domain, len(names), measure)
        labels = None if cluster is None else chunks(data, "--cluster").column(cluster)
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
            **facts(found, level),
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
