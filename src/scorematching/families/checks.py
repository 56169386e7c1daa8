"""θ outside the parameter space: errors that name the parameter, its value and the remedy."""

from __future__ import annotations

from scorematching.errors import InvalidInput

STANDS = "The estimate theta stands; for a model, "


def check_above(value: float, limit: float, name: str, remedy: str) -> None:
    """Raise InvalidInput unless the parameter lies above its limit.

    Parameters
    ----------
    name
        The parameter, as in ``family.names``.
    remedy
        What to do for a model, as the end of a sentence.
    """
    if not value > limit:
        raise InvalidInput(
            f"{name} must be greater than {limit:g} for a density: got {value:.6g}. "
            f"{STANDS}{remedy}"
        )
