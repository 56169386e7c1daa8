"""Figures of merit of the density: held-out rows, training rows, noise levels, steps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scorematching.report.facts import Densities, Facts
from scorematching.report.merit import Merit, Reading, signed

Array = NDArray[np.float64]

CLEAR = 2.0  # standard errors
STEPS_GOOD, STEPS_FAIR = 0.05, 0.5  # nats a row
EARLY, LATE = 0.5, 0.9  # of the training


def density_merits(facts: Facts) -> list[Merit]:
    """Those that the facts allow."""
    found = []
    if facts.held_out is not None and facts.train is not None:
        found += [_gain(facts, facts.held_out), _by_heart(facts.held_out, facts.train)]
        found += [_numerical(facts.held_out)]
    else:
        found += [_nothing_held_out()]
    found += [_levels(facts, *_used_levels(facts))]
    long_enough = _long_enough(facts)
    return found + ([] if long_enough is None else [long_enough])


def mean_error(values: Array) -> tuple[float, float]:
    """The mean and its standard error, n − 1; NaN where there are too few."""
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    return mean, float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan


def _gain(facts: Facts, held_out: Densities) -> Merit:
    mean, error = mean_error(held_out.gain)
    n, lost = len(held_out.gain), len(held_out.gaussian) - len(held_out.gain)
    if not error < math.inf or abs(mean) <= CLEAR * error:
        reading = Reading.OPEN
        verdict = (
            f"With {n} held-out rows the difference is within two standard errors of nothing. Hold "
            "out more rows to tell."
        )
    elif mean > 0:
        reading = Reading.GOOD
        verdict = (
            "Rows that the model was not fitted to are more probable under it than under one "
            "Gaussian with the same mean and covariance: it has learnt more than correlations."
        )
    else:
        reading = Reading.POOR
        verdict = (
            "One Gaussian explains held-out rows better than the model does: it has learnt too "
            "little, or too much by heart. Look at the two figures beside this one."
        )
    absolute, _ = mean_error(held_out.model.value.numpy()[held_out.model.value.isfinite().numpy()])
    chose = facts.subject.chose and facts.subject.records
    return Merit(
        "gain_over_gaussian",
        "Log-density gained over a Gaussian",
        mean,
        error,
        f"{signed(mean)} ± {error:.2f} nats a row",
        reading,
        verdict,
        f"It sees the whole shape of the density at once. The mean itself is {signed(absolute)} "
        f"nats over {n} held-out rows, in the units of the data.",
        ("These rows chose the best weights, which flatters the model a little. " if chose else "")
        + "A few odd rows can decide a mean. It is the density of the data blurred by the lowest "
        f"noise level, {facts.subject.model.process.sigma_min:g} standard deviations."
        + (f" {lost} rows are left out, whose flow diverged." if lost else ""),
    )


def _by_heart(held_out: Densities, train: Densities) -> Merit:
    (ours, our_error), (theirs, their_error) = mean_error(train.gain), mean_error(held_out.gain)
    gap, error = ours - theirs, math.hypot(our_error, their_error)
    if not error < math.inf:
        reading, verdict = Reading.OPEN, "There are too few rows to tell."
    elif gap <= CLEAR * error:
        reading = Reading.GOOD
        verdict = "No sign that training rows are known by heart: held-out rows fare as well."
    elif gap < theirs:
        reading = Reading.FAIR
        verdict = (
            "Training rows are explained better than held-out ones: some of what was learnt is "
            "true of those rows alone. More dropout, fewer steps or more rows would help."
        )
    else:
        reading = Reading.POOR
        verdict = (
            "Most of what the model knows beyond a Gaussian is true of its training rows alone. "
            "Use more dropout, fewer steps or more rows before trusting its log-densities."
        )
    return Merit(
        "memorisation_gap",
        "Training rows against held-out rows",
        gap,
        error,
        f"{signed(gap)} ± {error:.2f} nats a row",
        reading,
        verdict,
        "A model that only remembers its rows cannot pass it. Both means are gains over the same "
        f"Gaussian: {signed(ours)} on training rows, {signed(theirs)} on held-out ones.",
        "It sees learning by heart only as far as it changes log-densities; samples that copy rows "
        "are another figure.",
    )


def _numerical(held_out: Densities) -> Merit:
    found = held_out.checked
    assert found.step_error is not None
    error = float(found.step_error.nanmedian())
    reading = Reading.GOOD if error < STEPS_GOOD else Reading.FAIR
    reading = Reading.POOR if error >= STEPS_FAIR else reading
    verdict = {
        Reading.GOOD: "Halving the steps of the flow hardly changes log-densities.",
        Reading.FAIR: "The steps of the flow are a little long. Raise likelihood.n_steps.",
        Reading.POOR: "The steps of the flow are too long for trust in a log-density. Raise "
        "likelihood.n_steps.",
    }[reading]
    return Merit(
        "step_error",
        "Numerical error of the log-density",
        error,
        None,
        f"{error:.2g} nats a row",
        reading,
        verdict + _probe_words(held_out),
        f"It is the median change over {len(found.value)} rows where the steps are halved: an "
        "upper estimate, as the coarser run errs more than the finer one.",
        "It says nothing about how well the network was trained.",
    )


def _probe_words(held_out: Densities) -> str:
    probe = held_out.checked.probe_error
    if probe is None:
        return ""
    return f" Random probes for the trace add {float(probe.nanmedian()):.2g} nats a row."


def _nothing_held_out() -> Merit:
    return Merit(
        "held_out",
        "Held-out rows",
        0.0,
        None,
        "none",
        Reading.OPEN,
        "All rows were trained on, so nothing here says how the model does on new ones. Give rows "
        "that it has not seen: report RUN --held-out FILE, or fit with --validation-data.",
        "Training on every row is the best use of few rows.",
        "Every figure below compares with training rows: a model that knows them by heart passes.",
    )


def _used_levels(facts: Facts) -> tuple[Array, Array, Array]:
    """The noise levels that sampling goes through, the losses' ratios there and their errors."""
    losses = facts.losses_train if facts.losses_held_out is None else facts.losses_held_out
    used = facts.subject.model.configuration.sampling
    levels = np.array(facts.levels)
    inside = (levels >= used.sigma_min * 0.999) & (levels <= used.sigma_max * 1.001)
    inside |= not inside.any()
    ratio, error = losses.ratio()
    return levels[inside], ratio[inside], error[inside]


def _levels(facts: Facts, levels: Array, ratio: Array, error: Array) -> Merit:
    held_out = facts.losses_held_out is not None
    best, worst = int(np.argmin(ratio)), int(np.argmax((ratio - 1) / np.maximum(error, 1e-9)))
    rows = "held-out" if held_out else "training"
    clearly_worse = ratio[worst] - 1 > CLEAR * error[worst] + 0.02
    clearly_better = 1 - ratio[best] > CLEAR * error[best]
    if clearly_worse:
        reading = Reading.FAIR if clearly_better else Reading.POOR
        verdict = (
            f"At σ = {levels[worst]:.2g} the network does worse than its Gaussian alone "
            f"({100 * ratio[worst]:.0f} %) on {rows} rows: fewer steps, or more dropout."
        )
    elif clearly_better:
        reading = Reading.GOOD
        verdict = (
            f"On {rows} rows the network denoises better than the Gaussian, most of all at "
            f"σ = {levels[best]:.2g}, and worse at no level that sampling uses."
        )
    else:
        reading = Reading.OPEN
        verdict = f"On {rows} rows the network is no clear gain over the Gaussian at any level."
    return Merit(
        "level_loss",
        "Loss of the best noise level",
        float(ratio[best]),
        float(error[best]),
        f"{100 * ratio[best]:.1f} % of a Gaussian's",
        reading,
        verdict,
        "It is what training minimises, level by level, with the same noise for both.",
        "100 % is a Gaussian; how low it could get depends on the data, and nobody knows. At the "
        "lowest levels every denoiser is close to 100 %, as next to nothing is hidden there.",
    )


def _long_enough(facts: Facts) -> Merit | None:
    records = facts.subject.records
    checks = [(r["step"], r["validation"]) for r in records if r.get("validation") is not None]
    if len(checks) < 3:
        return None
    last_step = int(records[-1]["step"])
    best_step, _ = min(checks, key=lambda each: float(each[1]))
    late = best_step >= LATE * last_step
    drop = float(checks[-2][1]) - float(checks[-1][1])
    reading = Reading.FAIR
    if late and drop > 0:
        verdict = (
            f"Held-out rows were still gaining at the end ({drop:.2g} nats a row between the last "
            "two checks): more steps may help."
        )
    elif best_step < EARLY * last_step:
        verdict = (
            "Held-out rows fared best early and worse from there on: the rest taught the network "
            "its training rows by heart. The early weights were kept; fewer steps would do."
        )
    else:
        reading = Reading.GOOD
        verdict = (
            "Held-out rows fared best at that step, whose weights were kept: more steps would not "
            "have helped, nor fewer."
        )
    return Merit(
        "best_step",
        "Length of the training",
        float(best_step),
        None,
        f"best at step {best_step:,} of {last_step:,}",
        reading,
        verdict,
        "It needs no judgement of how low a loss should be.",
        f"The checks are {len(checks)}, on some held-out rows: a dip can be chance. The learning "
        "rate falls to nothing at the end, so curves always flatten there.",
    )
