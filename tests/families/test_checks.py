from __future__ import annotations

import math

import pytest

from scorematching.errors import InvalidInput
from scorematching.families.checks import check_above


@pytest.mark.parametrize("value", [0.0, -2.0, math.nan])
def test_a_parameter_at_or_below_its_limit_is_named_with_the_remedy(value: float) -> None:
    with pytest.raises(InvalidInput, match=r"alpha must be greater than 0.*model, fix it\."):
        check_above(value, 0, "alpha", "fix it.")
    check_above(1e-9, 0, "alpha", "fix it.")
