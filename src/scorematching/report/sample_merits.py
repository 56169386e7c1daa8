"""Figures of merit of the samples: against held-out rows, training rows, and column by column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scorematching.data import TableSchema
from scorematching.report.facts import Facts
from scorematching.report.merit import Merit, Reading
from scorematching.report.two_sample import (
    COPY_QUANTILE,
    chance_gap,
    classifier_accuracy,
    copied_share,
    energy_test,
    largest_gaps,
)
from scorematching.report.views import column_names, real_rows, sample_rows

Array = NDArray[np.float64]

CLEAR, VERY_CLEAR = 0.05, 0.005  # p-values
ENOUGH_TO_TEST, ENOUGH_TO_CLASSIFY = 10, 50  # rows
FAIR_ACCURACY = 0.6
COPIES_GOOD, COPIES_FAIR = 2.0, 4.0  # times the share of new rows


def sample_merits(facts: Facts) -> list[Merit]:
    """Those that the facts allow."""
    found = [_energy(facts), _classifier(facts), _copies(facts)]
    if len(facts.subject.model.schema.event) <= 1:
        found.append(_columns(facts))
    return found if facts.lost == 0 else [*found, _lost(facts)]


def _reference(facts: Facts) -> tuple[Array, str]:
    """What samples are compared with, and what it is called."""
    if "held_out" in facts.spaces:
        return facts.spaces["held_out"], "held-out"
    return facts.spaces["train"], "training"


def _energy(facts: Facts) -> Merit:
    rows, kind = _reference(facts)
    name = f"Distance of samples to {kind} rows"
    good = "It sees differences of any kind, and needs no choice of a feature or a bandwidth."
    bad = _caveat(kind) + (
        f"With {len(rows)} rows small differences stay unseen, and the more columns, the larger "
        "they have to be: no difference found is no proof that there is none."
    )
    if len(rows) < ENOUGH_TO_TEST or facts.samples.n < ENOUGH_TO_TEST:
        verdict = f"{len(rows)} rows are too few for a test."
        return Merit(
            "energy_p_value", name, None, None, "no test", Reading.OPEN, verdict, good, bad
        )
    test = energy_test(facts.spaces["samples"], rows)
    p = test.p_value
    reading = Reading.GOOD if p > CLEAR else Reading.FAIR if p > VERY_CLEAR else Reading.POOR
    verdict = {
        Reading.GOOD: f"Samples are no farther from {kind} rows than chance alone would have it.",
        Reading.FAIR: f"Samples are a little farther from {kind} rows than chance would have it.",
        Reading.POOR: f"Samples clearly differ from {kind} rows: look at the columns and pairs "
        "below for where.",
    }[reading]
    return Merit(
        "energy_p_value",
        name,
        p,
        None,
        f"{test.distance:.3g}, p = {p:.2g}",
        reading,
        verdict,
        good + " p is the share of random relabellings that put the two at least as far apart.",
        bad,
    )


def _classifier(facts: Facts) -> Merit:
    rows, kind = _reference(facts)
    name = "A classifier told to find the samples"
    good = "It sees how columns hang together, and 50 % has a meaning: a tossed coin."
    bad = _caveat(kind) + (
        "Trees miss what another classifier would find; and one odd column, such as rounded "
        "values, can give samples away that are otherwise good."
    )
    size = min(len(rows), facts.samples.n)
    if size < ENOUGH_TO_CLASSIFY:
        verdict = f"{size} rows of each kind are too few to train a classifier on."
        return Merit(
            "classifier_accuracy", name, None, None, "not trained", Reading.OPEN, verdict, good, bad
        )
    accuracy, error = classifier_accuracy(facts.spaces["samples"], rows)
    reading = Reading.GOOD if accuracy <= 0.5 + 2 * error else Reading.FAIR
    reading = Reading.POOR if accuracy > max(FAIR_ACCURACY + error, 0.5 + 2 * error) else reading
    verdict = {
        Reading.GOOD: f"It does no better than a coin at telling samples from {kind} rows.",
        Reading.FAIR: f"It tells some samples from {kind} rows.",
        Reading.POOR: f"It can tell samples from {kind} rows: they are not yet alike.",
    }[reading]
    return Merit(
        "classifier_accuracy",
        name,
        accuracy,
        error,
        f"{100 * accuracy:.1f} % ± {100 * error:.1f} % right",
        reading,
        verdict,
        good,
        bad,
    )


def _copies(facts: Facts) -> Merit:
    found = copied_share(facts.spaces["samples"], facts.spaces["train"])
    name = "Samples that lie on training rows"
    good = "A model that repeats its rows is caught, however good its samples look."
    bad = (
        f"{100 * COPY_QUANTILE:.0f} % is what new rows of the same law would give. Samples that "
        "crowd where data are dense give more without copying; blurred samples give less."
    )
    if facts.subject.streamed:
        bad += f" Only a random {facts.subject.train.n:,} of the training rows were looked at."
    if found is None:
        verdict = "Many rows of the data repeat each other exactly, so a copy cannot be told."
        return Merit("copies", name, None, None, "no test", Reading.OPEN, verdict, good, bad)
    share, error = found
    limit = COPY_QUANTILE
    reading = Reading.GOOD if share <= COPIES_GOOD * limit + 2 * error else Reading.FAIR
    reading = Reading.POOR if share > COPIES_FAIR * limit + 2 * error else reading
    verdict = {
        Reading.GOOD: "Samples keep the distance to training rows that new rows would keep.",
        Reading.FAIR: "More samples than expected lie very close to a training row.",
        Reading.POOR: "Many samples repeat training rows. Use more dropout, fewer steps or more "
        "rows, above all where the rows are confidential.",
    }[reading]
    shown = f"{100 * share:.1f} % ± {100 * error:.1f} %"
    return Merit("copies", name, share, error, shown, reading, verdict, good, bad)


def _columns(facts: Facts) -> Merit:
    data, samples = real_rows(facts), sample_rows(facts)
    gaps = largest_gaps(data, samples)
    limit = chance_gap(len(data), len(samples), len(gaps))
    beyond = [name for name, gap in zip(column_names(facts), gaps, strict=True) if gap > limit]
    d = len(gaps)
    reading = Reading.GOOD if not beyond else Reading.FAIR
    reading = Reading.POOR if len(beyond) > d / 3 else reading
    listing = ", ".join(beyond[:4]) + (", …" if len(beyond) > 4 else "")
    verdict = (
        "Column by column, samples and data differ by no more than chance."
        if not beyond
        else f"Samples of {listing} are spread differently than the data."
    )
    what = "columns" if isinstance(facts.subject.model.schema, TableSchema) else "coordinates"
    return Merit(
        "columns_off",
        f"{what.capitalize()} that differ",
        float(len(beyond)),
        None,
        f"{len(beyond)} of {d}",
        reading,
        verdict,
        f"It says which ones. Largest difference of two distribution functions: {gaps.max():.3f}; "
        f"chance alone exceeds {limit:.3f} in one case of twenty, in any of them.",
        "It is blind to how columns hang together, and the data here are mostly training rows.",
    )


def _lost(facts: Facts) -> Merit:
    share = facts.lost / (facts.lost + facts.samples.n)
    return Merit(
        "samples_lost",
        "Samples that diverged",
        share,
        None,
        f"{facts.lost} of {facts.lost + facts.samples.n}",
        Reading.POOR if share > 0.01 else Reading.FAIR,
        "They became infinite and are left out everywhere on this page. Check the data for "
        "outliers, or draw with more evaluations.",
        "It is counted, not estimated.",
        "Those left may be biased: what diverges is not a random part.",
    )


def _caveat(kind: str) -> str:
    if kind == "held-out":
        return ""
    return "Compared with training rows, a model that copies them would look perfect. "
