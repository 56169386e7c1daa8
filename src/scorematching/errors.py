"""The errors raised on purpose; each message gives what, expected, got and the remedy."""

from __future__ import annotations


class ScoreMatchingError(Exception):
    """Base of all errors raised on purpose; catch this to catch them all."""


class InvalidInput(ScoreMatchingError, ValueError):
    """An argument, option or value is unusable; the message says which and what would work."""


class DataError(InvalidInput):
    """The data cannot be used as they are; the message names the file, line or column."""


class CorruptCheckpoint(ScoreMatchingError):
    """A saved model or checkpoint does not match its manifest, or cannot be read."""


class RunLocked(ScoreMatchingError):
    """Another live process is writing to the same run folder."""


class TrainingFailed(ScoreMatchingError, RuntimeError):
    """Training cannot go on (non-finite losses in a row, say); the last good state is kept."""


class Diverged(ScoreMatchingError, RuntimeError):
    """Every chain or trajectory became non-finite."""


class NotIdentified(InvalidInput):
    """The rows leave directions of the parameter undetermined; the message names them."""


class NotConverged(ScoreMatchingError, RuntimeError):
    """A minimisation ended elsewhere than at a minimum; the message says how far from one."""
