"""Settings chosen from the data, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scorematching.configuration import (
    Configuration,
    LikelihoodSettings,
    MLPSettings,
    NoiseSettings,
    OwnNetSettings,
    SampleSettings,
    TrainSettings,
    UNetSettings,
    overridden,
)
from scorematching.data import Dataset, Stream
from scorematching.errors import InvalidInput
from scorematching.settling import VALIDATIONS, Choice, laid_over

SMALLEST_IMAGE = 6
LARGEST_IMAGE = 128
PATCHED_IMAGE = 16
MEMBER_STEPS = 8200
IMAGE_STEPS = 1500
FEW_ROWS = 50
CONDITION_DROPOUT = 0.1
SHORTEST_SIGNAL = 16
COARSEST = 12


def choose(data: Dataset | Stream, own_net: str | None = None) -> Choice:
    """Settings for a data set; own_net names a network of the user's, used in place of ours."""
    event = data.schema.event
    if len(event) == 3 and SMALLEST_IMAGE <= min(event[1:]) <= max(event[1:]) <= LARGEST_IMAGE:
        chosen = _for_images(data, own_net)
    elif len(event) == 2 and event[1] >= max(SHORTEST_SIGNAL, 4 * event[0]):
        chosen = _for_signals(data, own_net)
    else:
        chosen = _for_rows(data, own_net)
    return _with_dropout(chosen, own_net) if conditional(data) else chosen


def conditional(data: Dataset | Stream) -> bool:
    """Whether rows are given a class or a condition."""
    return data.schema.label is not None or bool(data.schema.condition)


def settled(
    data: Dataset | Stream,
    own_net: str | None,
    configuration: Choice | Configuration | Mapping[str, Any] | None,
    max_steps: int | None,
    *,
    validation: bool = False,
) -> Choice:
    """The chosen settings with the user's laid over them; a `Choice` made before is kept.

    Parameters
    ----------
    data, own_net
        As in `choose`.
    configuration, max_steps
        What the user asks for.
    validation
        Whether there are rows to validate by, next to the data.

    Raises
    ------
    InvalidInput
        A setting is unknown, unusable, or would have no effect.
    """
    choice = configuration if isinstance(configuration, Choice) else choose(data, own_net)
    given = None if isinstance(configuration, Choice) else configuration
    choice = laid_over(choice, given, max_steps, own_net=own_net is not None, validation=validation)
    share = choice.configuration.training.condition_dropout
    if share > 0 and not conditional(data):
        raise InvalidInput(
            f"training.condition_dropout {share:g} has no effect on rows without labels or a "
            "condition: leave it out."
        )
    return choice


def _for_rows(data: Dataset | Stream, own_net: str | None) -> Choice:
    n, d = data.n, math.prod(data.schema.event)
    dropout = _row_dropout(n)
    width = int(min(512, max(192, 64 * math.ceil(4 * d / 64))))
    steps = int(min(7000, max(1400, 3200 * (n / 3200) ** 2.5)))
    members = max(1, min(4, MEMBER_STEPS // steps))
    reasons = {
        "net": f"residual MLP: rows of {d} numbers",
        "net.width": f"{width}: 4 × {d} columns, between 192 and 512",
        "net.dropout": f"{dropout:g}: {n} rows; fewer rows need more",
        "training.max_steps": f"{steps}: {n} rows; fewer are soon learned by heart",
        "training.n_members": f"{members}: as many networks as {MEMBER_STEPS:,} steps pay for, "
        "at most 4; their mean errs less than each",
        "noise": "0.01 to 20 standard deviations of the "
        f"{'whitened' if len(data.schema.event) == 1 else 'standardised'} rows",
    }
    few = n < FEW_ROWS
    if few:
        reasons["validation_fraction"] = f"0: {n} rows are too few to hold some out"
    else:
        reasons["validation_fraction"] = "0.1: held-out rows choose the best weights"
    net = MLPSettings(width=width, dropout=dropout)
    return Choice(
        Configuration(
            net=_own(own_net, net, reasons),
            noise=NoiseSettings(sigma_min=0.01, sigma_max=20.0, log_mean=-1.2, log_std=1.2),
            training=TrainSettings(
                max_steps=steps,
                n_members=members,
                validate_every=None if few else steps // VALIDATIONS,
            ),
            sampling=SampleSettings(n_evaluations=40, sigma_min=0.01, sigma_max=20.0),
            validation_fraction=0.0 if few else 0.1,
        ),
        reasons,
    )


def _for_images(data: Dataset | Stream, own_net: str | None) -> Choice:
    n, (_, height, width) = data.n, data.schema.event
    patch, channels = _resolutions(max(height, width))
    dropout = 0.15 if n < 5000 else 0.1
    log_mean = round(-0.4 + max(0.0, math.log(max(height, width) / 8)) / 3, 1)
    reasons = {
        "net": f"U-Net: images of {height} × {width}",
        "net.channels": f"{channels}: {len(channels)} resolutions down to about 4 to 8 pixels",
        "net.patch": f"{patch}: "
        + (
            "every pixel is a position"
            if patch == 1
            else f"squares of {patch} × {patch} pixels are one position, at a quarter of the cost"
        ),
        "net.dropout": f"{dropout:g}: {n} images; fewer images need more, to keep from copying",
        "training.max_steps": f"{IMAGE_STEPS}: under 2 minutes at 8 × 8 on one core; raise it for "
        "more",
        "validation_fraction": "0: with so few steps all images are of use",
        "likelihood.exact_up_to": "0: the exact trace costs as many backward passes as pixels",
        "likelihood.n_steps": "12: the 16 probes err by more",
        "dequantise": "false: whole pixel values are taken as they are; samples are rounded",
        "noise": "0.01 to 20, where the numbers of a row have unit variance",
        "noise.log_mean": f"{log_mean:g}: more noise where more pixels show the same shape",
    }
    net = UNetSettings(channels=channels, dropout=dropout, patch=patch)
    return Choice(
        Configuration(
            net=_own(own_net, net, reasons),
            noise=NoiseSettings(sigma_min=0.01, sigma_max=20.0, log_mean=log_mean, log_std=1.2),
            training=TrainSettings(
                max_steps=IMAGE_STEPS, batch_size=128, learning_rate=2e-3, clip_norm=2.0
            ),
            sampling=_image_sampling(labelled=data.schema.label is not None, reasons=reasons),
            likelihood=LikelihoodSettings(n_steps=12, exact_up_to=0),
            dequantise=False,
            validation_fraction=0.0,
        ),
        reasons,
    )


def _image_sampling(*, labelled: bool, reasons: dict[str, str]) -> SampleSettings:
    """How samples of images are drawn; what is chosen joins the reasons."""
    if labelled:
        reasons["sampling.stochastic"] = "false: given the class, noise has little to mend"
        reasons["sampling.n_evaluations"] = "20: without noise, 10 are hardly worse"
        return SampleSettings(n_evaluations=20, sigma_min=0.12, sigma_max=20.0, stochastic=False)
    reasons["sampling.stochastic"] = "true: noise mends what the network gets wrong"
    reasons["sampling.n_evaluations"] = "32: with noise, steps have to be shorter"
    return SampleSettings(n_evaluations=32, sigma_min=0.12, sigma_max=20.0)


def _for_signals(data: Dataset | Stream, own_net: str | None) -> Choice:
    n, (count, length) = data.n, data.schema.event
    halvings = max(1, min(5, round(math.log2(length / COARSEST))))
    channels = tuple(min(32 * 2**level, 128) for level in range(halvings + 1))
    dropout = 0.15 if n < 5000 else 0.1
    reasons = {
        "net": f"U-Net: {count} signals a row along {length} positions"
        if count > 1
        else f"U-Net: signals of {length} positions",
        "net.channels": f"{channels}: {len(channels)} resolutions down to about "
        f"{math.ceil(length / 2**halvings)} positions",
        "net.dropout": f"{dropout:g}: {n} signals; fewer need more, to keep from copying",
        "training.max_steps": f"{IMAGE_STEPS}: a few minutes at 64 positions on one core; raise it "
        "for more",
        "validation_fraction": "0: with so few steps all signals are of use",
        "likelihood.exact_up_to": "32: above, the exact trace costs more than the 16 probes",
        "noise": "0.01 to 20, where the numbers of a row have unit variance",
    }
    net = UNetSettings(channels=channels, dropout=dropout)
    return Choice(
        Configuration(
            net=_own(own_net, net, reasons),
            noise=NoiseSettings(sigma_min=0.01, sigma_max=20.0, log_mean=-0.8, log_std=1.2),
            training=TrainSettings(
                max_steps=IMAGE_STEPS, batch_size=128, learning_rate=2e-3, clip_norm=2.0
            ),
            sampling=SampleSettings(n_evaluations=40, sigma_min=0.02, sigma_max=20.0),
            likelihood=LikelihoodSettings(n_steps=16, exact_up_to=32),
            validation_fraction=0.0,
        ),
        reasons,
    )


def _resolutions(side: int) -> tuple[int, tuple[int, ...]]:
    """The patch of a U-Net and its channels, for images whose longer side has so many pixels."""
    if side < PATCHED_IMAGE:
        return 1, (32, 64) if side <= 8 else (32, 64, 128)
    halvings = math.ceil(math.log2(side / 2 / 8))
    return 2, tuple(min(48 * 2**level, 192) for level in range(max(1, halvings) + 1))


def _with_dropout(chosen: Choice, own_net: str | None) -> Choice:
    """The choice for rows that are given something, which some of them are not told."""
    name = "training.condition_dropout"
    if own_net is not None:
        reason = "0: the net is your own; above 0 some rows have class −1 and a condition of NaN"
        return Choice(chosen.configuration, {**chosen.reasons, name: reason})
    reason = (
        f"{CONDITION_DROPOUT:g}: the share of rows not told their class or condition, from which "
        "the unconditional score is learnt; guidance needs it"
    )
    training = {"condition_dropout": CONDITION_DROPOUT}
    settings = overridden(chosen.configuration, {"training": training}, "the configuration")
    return Choice(settings, {**chosen.reasons, name: reason})


def _row_dropout(n: int) -> float:
    """0.3 up to 3,500 rows and 0.1 from 4,500, linear in ln n between."""
    low, high = math.log(3500.0), math.log(4500.0)
    share = min(1.0, max(0.0, (math.log(max(n, 1)) - low) / (high - low)))
    return round(0.3 - 0.2 * share, 3)


def _own(
    own_net: str | None, chosen: MLPSettings | UNetSettings, reasons: dict[str, str]
) -> MLPSettings | UNetSettings | OwnNetSettings:
    if own_net is None:
        return chosen
    for name in [name for name in reasons if name.startswith("net")]:
        del reasons[name]
    reasons["net"] = f"{own_net}: as given"
    return OwnNetSettings(name=own_net)
