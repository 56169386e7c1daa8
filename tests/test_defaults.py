"""Settings chosen from the data: for every form of rows, each with a reason that is true."""

from __future__ import annotations

import numpy as np
import pytest

from scorematching.configuration import Configuration, MLPSettings, OwnNetSettings, UNetSettings
from scorematching.data import Dataset, from_array
from scorematching.defaults import FEW_ROWS, choose, settled
from scorematching.errors import InvalidInput


def rows(n: int, *event: int) -> Dataset:
    return from_array(np.random.default_rng(n).normal(size=(n, *event)))


def images(n: int, *shape: int) -> Dataset:
    return from_array(np.random.default_rng(n).integers(0, 256, size=(n, *shape), dtype=np.uint8))


@pytest.mark.parametrize(
    ("data", "net"),
    [
        (rows(60), MLPSettings),
        (rows(60, 1), MLPSettings),
        (rows(60, 40), MLPSettings),
        (rows(60, 8, 8), MLPSettings),
        (rows(60, 3, 4, 4), MLPSettings),  # too small to halve
        (rows(60, 1, 8, 8), UNetSettings),
        (rows(60, 2, 2, 2, 2), MLPSettings),
        (images(60, 8, 8), UNetSettings),
        (images(60, 3, 28, 28), UNetSettings),
        (images(3, 2, 200), MLPSettings),
    ],
)
def test_images_get_a_unet_and_all_else_a_residual_network(data: Dataset, net: type) -> None:
    choice = choose(data)
    assert isinstance(choice.configuration.net, net)
    assert str(choice.reasons["net"])


@pytest.mark.parametrize("data", [rows(20, 2), rows(3000, 12), images(60, 8, 8), rows(60, 1, 9, 9)])
def test_every_reason_is_of_a_setting_and_begins_with_its_value(data: Dataset) -> None:
    choice = choose(data)
    values = choice.configuration.model_dump()
    for name, reason in choice.reasons.items():
        section, _, inner = name.partition(".")
        value = values[section][inner] if inner else values[section]
        if not isinstance(value, dict):
            assert reason.lower().startswith(
                f"{value:g}" if type(value) is float else f"{value}".lower()
            )


def test_few_rows_are_all_trained_on() -> None:
    few, enough = choose(rows(FEW_ROWS - 1, 2)), choose(rows(FEW_ROWS, 2))
    assert few.configuration.validation_fraction == 0
    assert few.configuration.training.validate_every is None
    assert enough.configuration.validation_fraction > 0
    assert enough.configuration.training.validate_every is not None


def test_more_rows_need_no_more_dropout_and_no_fewer_steps() -> None:
    sizes = [2, 100, 1000, 3000, 4000, 20_000, 200_000]
    chosen = [choose(rows(n)).configuration for n in sizes]
    dropouts = [c.net.dropout for c in chosen]
    steps = [c.training.max_steps for c in chosen]
    assert dropouts == sorted(dropouts, reverse=True)
    assert steps == sorted(steps)
    assert dropouts[0] > dropouts[-1] > 0


def test_the_choice_depends_on_the_form_of_the_data_alone() -> None:
    assert choose(rows(200, 3)) == choose(from_array(1e6 * rows(200, 3).values))


def test_a_net_of_ones_own_keeps_all_else_that_was_chosen() -> None:
    ours, own = choose(rows(200, 3)), choose(rows(200, 3), "Mine")
    assert own.configuration.net == OwnNetSettings(name="Mine")
    assert (
        own.configuration.model_copy(update={"net": ours.configuration.net}) == ours.configuration
    )
    assert own.reasons["net"] == "Mine: as given"
    assert [name for name in own.reasons if name.startswith("net.")] == []


def test_settled_is_the_choice_with_wishes_laid_over_or_a_choice_kept() -> None:
    data = rows(200, 3)
    choice = settled(data, None, {"net": {"width": 64}}, 30)
    assert choice.configuration.net.width == 64
    assert choice.configuration.training.max_steps == 30
    assert settled(rows(5000, 9), None, choice, None) == choice
    assert settled(data, None, None, None, validation=True).configuration.validation_fraction == 0
    with pytest.raises(InvalidInput, match="no setting"):
        settled(data, None, {"nett": {}}, None)
    assert settled(data, "Mine", None, None).configuration.training.n_members == 1


def test_every_choice_is_a_valid_configuration() -> None:
    for data in (rows(2), rows(10_000, 5), images(2, 8, 8), images(5, 64, 64)):
        configuration = choose(data).configuration
        assert Configuration.model_validate(configuration.model_dump()) == configuration


@pytest.mark.parametrize(
    ("side", "patch", "channels", "coarsest"),
    [
        (6, 1, (32, 64), 3),
        (8, 1, (32, 64), 4),
        (15, 1, (32, 64, 128), 4),
        (16, 2, (48, 96), 4),
        (28, 2, (48, 96), 7),
        (32, 2, (48, 96), 8),
        (64, 2, (48, 96, 192), 8),
        (128, 2, (48, 96, 192, 192), 8),
    ],
)
def test_the_attention_of_every_size_of_image_has_few_positions(
    side: int, patch: int, channels: tuple[int, ...], coarsest: int
) -> None:
    net = choose(images(60, side, side)).configuration.net
    assert isinstance(net, UNetSettings)
    assert (net.patch, net.channels) == (patch, channels)
    assert -(-side // (patch * 2 ** (len(channels) - 1))) == coarsest


def test_more_pixels_are_trained_at_more_noise() -> None:
    means = [choose(images(60, side, side)).configuration.noise.log_mean for side in (6, 8, 28, 64)]
    assert means == [-0.4, -0.4, 0.0, 0.3]


def test_images_with_labels_are_sampled_without_noise_and_with_fewer_evaluations() -> None:
    x = np.random.default_rng(0).integers(0, 17, size=(60, 1, 8, 8))
    bare, labelled = choose(from_array(x)), choose(from_array(x, labels=np.arange(60) % 3))
    assert bare.configuration.sampling.stochastic
    assert not labelled.configuration.sampling.stochastic
    evaluations = [each.configuration.sampling.n_evaluations for each in (bare, labelled)]
    assert evaluations == [32, 20]
    assert bare.configuration.training.max_steps == labelled.configuration.training.max_steps
