"""The user's settings over the chosen ones: all have an effect, and every reason is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scorematching.configuration import Configuration, MLPSettings, OwnNetSettings, TrainSettings
from scorematching.errors import InvalidInput
from scorematching.settling import Choice, laid_over, training_settings

CHOSEN = Choice(
    Configuration(
        net=MLPSettings(width=64),
        training=TrainSettings(max_steps=1200, validate_every=100, n_members=2),
        validation_fraction=0.1,
    ),
    {
        "net": "residual MLP: rows",
        "net.width": "64: columns",
        "training.max_steps": "1200: rows",
        "training.n_members": "2: they fit",
        "noise": "0.01 to 20",
        "validation_fraction": "0.1: chosen",
    },
)
OWN = Choice(Configuration(net=OwnNetSettings(name="Mine")), {"net": "Mine: as given"})


def test_without_wishes_the_choice_is_kept() -> None:
    assert laid_over(CHOSEN) == CHOSEN


def test_what_is_given_replaces_value_and_reason_and_nothing_else() -> None:
    given = {"training": {"max_steps": 50}, "noise": {"sigma_min": 0.02}, "dequantise": False}
    given["sampling"] = {"sigma_min": 0.1}
    choice = laid_over(CHOSEN, given)
    assert choice.configuration.training.max_steps == 50
    assert choice.configuration.noise.sigma_min == 0.02
    assert choice.reasons == {
        "net": "residual MLP: rows",
        "net.width": "64: columns",
        "training.max_steps": "50: as given",
        "training.n_members": "2: they fit",
        "validation_fraction": "0.1: chosen",
        "noise.sigma_min": "0.02: as given",
        "dequantise": "False: as given",
        "sampling.sigma_min": "0.1: as given",
    }


def test_a_net_of_another_type_takes_its_reasons_with_it() -> None:
    choice = laid_over(CHOSEN, {"net": {"type": "UNet", "dropout": 0.3}})
    net = {name: why for name, why in choice.reasons.items() if name.startswith("net")}
    assert net == {
        "net": "UNet: as given",
        "net.type": "UNet: as given",
        "net.dropout": "0.3: as given",
    }


def test_a_whole_configuration_is_taken_as_it_is() -> None:
    whole = Configuration(net=MLPSettings(), training=TrainSettings(max_steps=3))
    choice = laid_over(CHOSEN, whole)
    assert choice.configuration == whole
    assert choice.reasons == {"all": "as given"}


def test_max_steps_comes_last() -> None:
    choice = laid_over(CHOSEN, {"training": {"max_steps": 50}}, 24)
    assert choice.configuration.training.max_steps == 24
    assert choice.reasons["training.max_steps"] == "24: as given"


@pytest.mark.parametrize(
    ("given", "max_steps", "every"),
    [
        (None, 24, 3),
        ({"training": {"max_steps": 24}}, None, 3),
        (None, 5, 1),
        (None, 100_000, 100),
        ({"training": {"validate_every": 20}}, 24, 20),
    ],
)
def test_validations_are_as_frequent_as_the_steps_need(
    given: Any, max_steps: int | None, every: int
) -> None:
    assert laid_over(CHOSEN, given, max_steps).configuration.training.validate_every == every


def test_settling_twice_changes_nothing() -> None:
    for validation in (False, True):
        once = laid_over(CHOSEN, {"training": {"max_steps": 50}}, validation=validation)
        assert laid_over(once, validation=validation) == once
        again = laid_over(CHOSEN, once.configuration, validation=validation)
        assert again.configuration == once.configuration


def test_given_validation_rows_take_the_place_of_a_fraction() -> None:
    choice = laid_over(CHOSEN, validation=True)
    assert choice.configuration.validation_fraction == 0
    assert choice.configuration.training.validate_every == 100
    assert "validation_fraction" not in choice.reasons
    assert "rows" in choice.reasons["validation"]


def test_without_rows_to_validate_by_nothing_is_validated() -> None:
    choice = laid_over(CHOSEN, {"validation_fraction": 0.0})
    assert choice.configuration.training.validate_every is None


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"validation_fraction": 0.2}, {"validation": True}, "validation_fraction has no effect"),
        (
            {"validation_fraction": 0.0, "training": {"patience": 2, "validate_every": 5}},
            {},
            r"training\.validate_every and training\.patience have no effect",
        ),
        (
            Configuration(
                net=MLPSettings(), training=TrainSettings(validate_every=3), validation_fraction=0
            ),
            {},
            r"training\.validate_every have no effect without validation rows",
        ),
        ({"net": {"width": 32}}, {"own_net": True}, r"given as net=…"),
        ({"net": {"type": "own", "name": "x"}}, {}, r"given as net=…"),
        ({"trainnig": {}}, {}, "trainnig is no setting"),
        ("fast", {}, "Configuration or a nested dict of settings: got str"),
    ],
)
def test_what_would_have_no_effect_is_an_error(
    given: Any, options: dict[str, bool], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        laid_over(CHOSEN, given, **options)


def test_a_net_of_ones_own_has_no_members_unless_it_is_an_ensemble_itself() -> None:
    with pytest.raises(InvalidInput, match=r"n_members .* no effect .*got 3.*nets\.Ensemble"):
        laid_over(OWN, {"training": {"n_members": 3}}, own_net=True)
    two = Choice(
        OWN.configuration.model_copy(update={"training": CHOSEN.configuration.training}), {}
    )
    assert laid_over(two, own_net=True).configuration.training.n_members == 1


def test_an_error_of_max_steps_says_so() -> None:
    with pytest.raises(InvalidInput, match=r"max_steps is unusable: .*got 0"):
        laid_over(CHOSEN, None, 0)


def test_a_batch_holds_as_many_rows_for_each_member() -> None:
    settings = training_settings(CHOSEN.configuration, np.int64(3), 5.0)
    assert settings.batch_size == 2 * CHOSEN.configuration.training.batch_size
    assert (settings.seed, settings.time_limit, settings.max_steps) == (3, 5.0, 1200)


@pytest.mark.parametrize("seed", [1.5, "1", None])
def test_a_seed_that_is_no_integer_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidInput, match="seed must be an integer: got"):
        training_settings(CHOSEN.configuration, seed, None)
