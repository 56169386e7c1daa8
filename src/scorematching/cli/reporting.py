"""The report page of a run: its rows found again, what it shows computed, the file written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scorematching.cli import runs
from scorematching.cli.describe import described, samples_name
from scorematching.cli.plan import rows_of
from scorematching.cli.progress import spinning
from scorematching.cli.session import Messages
from scorematching.cli.settings import FILE, Source, printable, read_settings, source_of
from scorematching.data import Dataset, Stream, read
from scorematching.errors import DataError, InvalidInput
from scorematching.fitted import FittedScore
from scorematching.fitting import split_rows
from scorematching.likelihood import FlowLogDensity
from scorematching.preparing import split_stream
from scorematching.report.effort import effort_for
from scorematching.report.facts import Facts, Subject, gathered
from scorematching.report.page import figures_of_merit, page, write_page
from scorematching.training.log import read_log

PAGE = "report.html"


@dataclass(frozen=True)
class Wanted:
    """What a page is asked to be: how many samples and scored rows (None: as chosen), and more."""

    samples: int | None = None
    scored: int | None = None
    seed: int = 0
    device: str = "cpu"


def subject_of(
    run: Path, model: FittedScore, data: str | None, held_out: str | None, messages: Messages
) -> Subject:
    """A finished run with its rows, read again from where they were or are said to be.

    Raises
    ------
    InvalidInput
        The rows are not to be found, or are not those of the run.
    """
    found = _of_run(run, model, data) if (run / FILE).exists() else _of_python(run, model, data)
    if not (run / FILE).exists():
        messages.note(
            f"{run} was fitted from Python, so which rows were held out is not known: all of "
            f"{found.source} count as training rows."
        )
    if held_out is None:
        return found
    unseen = read(held_out, like=model.schema)
    _check_labels(model, unseen, held_out)
    return replace(found, held_out=unseen, chose=False)


def _of_run(run: Path, model: FittedScore, data: str | None) -> Subject:
    settings = read_settings(run)
    source = settings.data.name if data is None else data
    try:
        rows, validation, _ = rows_of(source, settings.options)
    except DataError as error:
        if data is not None:
            raise
        raise InvalidInput(
            f"{error} The run was fitted to {source}: if its rows lie elsewhere now, or this is "
            "another folder, say where by --data."
        ) from error
    _check_same(settings.data, source_of(source, rows), run)
    seed, streamed = settings.options.seed, isinstance(rows, Stream)
    if isinstance(rows, Stream):
        train, unseen = split_stream(rows, validation, settings.configuration, seed)
    else:
        train, unseen = split_rows(rows, validation, settings.configuration, seed)
    log = read_log(run / runs.LOG)
    return Subject(
        str(run), model, train, unseen, unseen is not None, source, described(rows), streamed,
        log, seed,
    )  # fmt: skip


def _check_same(before: Source, now: Source, run: Path) -> None:
    if before.sha256 != now.sha256:
        raise InvalidInput(
            f"{now.name}: {now.rows} rows that are not the {before.rows} rows that {run} was "
            f"fitted to, read from {before.name}. Give those by --data, in the same order; rows "
            "that the model has not seen go to --held-out."
        )


def _of_python(run: Path, model: FittedScore, data: str | None) -> Subject:
    if data is None:
        raise InvalidInput(
            f"{run} was fitted from Python, so its rows are not known here. Give them by --data."
        )
    rows = read(data, like=model.schema)
    _check_labels(model, rows, data)
    log = read_log(run / runs.LOG)
    return Subject(str(run), model, rows, None, False, data, described(rows), records=log)


def _check_labels(model: FittedScore, rows: Dataset, source: str) -> None:
    label, condition = model.schema.label, model.schema.condition
    if label is not None and rows.labels is None:
        raise InvalidInput(
            f"{source}: the model was fitted with the label {label.name!r}, and the rows have "
            "none. Add it to them."
        )
    if condition and rows.condition is None:
        raise InvalidInput(
            f"{source}: the model was fitted with the condition {', '.join(map(repr, condition))}, "
            "and the rows have none. Add it to them."
        )


def write_report(
    subject: Subject,
    path: Path,
    wanted: Wanted,
    messages: Messages,
    scored: FlowLogDensity | None = None,
) -> dict[str, Any]:
    """Compute what the page shows, write it, and give its figures back as fields of JSON.

    scored holds the log-densities of the rows that were validated by, if they are known already.

    Raises
    ------
    Diverged
        All samples became non-finite.
    """
    chosen = effort_for(subject.model)
    effort = replace(
        chosen,
        samples=wanted.samples or chosen.samples,
        scored=wanted.scored or chosen.scored,
    )
    with spinning("computing the report", quiet=messages.quiet):
        facts = gathered(subject, effort, wanted.seed, scored)
        merits = figures_of_merit(facts)
        html = page(
            facts,
            merits,
            about=_about(subject, facts, wanted),
            commands=_commands(subject),
            notes=[*dict.fromkeys([*subject.train.notes, *messages.notes])],
        )
        write_page(path, html)
    return {
        "rows": subject.train.n,
        "held_out": 0 if subject.held_out is None else subject.held_out.n,
        "samples": facts.samples.n,
        "merits": [merit.fields() for merit in merits],
    }


def _about(subject: Subject, facts: Facts, wanted: Wanted) -> list[tuple[str, str]]:
    """Names and values for the head of the page."""
    model, configuration = subject.model, subject.model.configuration
    parameters = sum(each.numel() for each in model.denoiser.net.parameters())
    members = configuration.training.n_members
    net = configuration.net
    kind = net.name if net.type == "own" else net.type
    last = subject.records[-1] if subject.records else {}
    steps, seconds, skipped = (last.get(name) for name in ("step", "seconds", "skipped"))
    found = [
        ("Data", f"{printable(subject.source)}: {subject.described}"),
        ("Rows", _rows_words(subject)),
        ("Network", f"{f'{members} × ' if members > 1 else ''}{kind}, {parameters:,} parameters"),
    ]
    if isinstance(steps, int) and isinstance(seconds, int | float):
        bad = f"; {skipped} batches were not finite and skipped" if skipped else ""
        found.append(("Training", f"{steps:,} steps in {seconds:.0f} s, seed {subject.seed}{bad}"))
    process, sampling = model.process, configuration.sampling
    found.append(("Noise levels", f"σ from {process.sigma_min:g} to {process.sigma_max:g}"))
    words = f"{facts.samples.n:,} rows of {sampling.n_evaluations} evaluations, seed {wanted.seed}"
    return [*found, ("Samples", words)]


def _rows_words(subject: Subject) -> str:
    held_out = subject.held_out
    if subject.streamed:
        held = "" if held_out is None else f"; {held_out.n:,} held out"
        return f"a random {subject.train.n:,} of those trained on are looked at{held}"
    if held_out is None:
        return f"{subject.train.n:,}, all trained on"
    how = "which chose the best weights" if subject.chose else "which the fit knew nothing of"
    return f"{subject.train.n:,} trained on, {held_out.n:,} held out, {how}"


def _commands(subject: Subject) -> list[tuple[str, str]]:
    """What can be run next, and what that does."""
    run, schema = subject.name, subject.model.schema
    name = samples_name(subject.source, schema)
    sample = runs.command_line("sample", run, "-n", "1000", "--out", name)
    loglik = runs.command_line("loglik", run, "NEW_ROWS", "--out", "loglik.csv")
    report = runs.command_line("report", run, "--held-out", "NEW_ROWS")
    again = "This page, judged by rows that the model has not seen:"
    return [
        (sample, "Draw rows from the model:"),
        (loglik, "Log-densities of rows; low ones are unusual rows:"),
        (report, again),
    ]
