"""Three small tables, split into the same training, validation and test rows for every method.

The protocol is that of the deep kernel experiments of sliced score matching. In this order:

1. repeated rows are dropped, so that no test row has a copy among the training rows;
2. rounded columns are dequantised: x ← x + u, u ~ U(−g, g), g the median gap between neighbouring
   values of the column (parkinsons is not rounded and is left alone);
3. a column whose |correlation| with an earlier kept column exceeds 0.98 is dropped;
4. rows are shuffled; the first tenth is the test set, a tenth of the rest the validation set;
5. rows are whitened by the training mean μ and covariance VΛVᵀ, and noised so that every method
   estimates one well-defined density: y = (x − μ)VΛ^(−1/2) + ε, ε ~ N(0, 0.05² I).

Log-densities are in nats per row of y. parkinsons repeats its subjects over rows, so its figures
compare methods and nothing else.

References
----------
Song, Garg, Shi & Ermon, "Sliced score matching: a scalable approach to density and score
estimation", UAI 2019, section 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocols.paths import SHARED

Array = NDArray[np.float64]

NOISE_STD = 0.05
CORRELATION_LIMIT = 0.98


@dataclass(frozen=True)
class Table:
    """A bundled table: the file that holds it and whether its columns are rounded."""

    file: str
    rounded: bool


TABLES = {
    "red-wine": Table("winequality-red.csv", rounded=True),
    "white-wine": Table("winequality-white.csv", rounded=True),
    "parkinsons": Table("parkinsons.csv", rounded=False),
}


@dataclass(frozen=True)
class Split:
    """Training, validation and test rows, each of shape (n, d)."""

    train: Array
    validation: Array
    test: Array


def split(name: str, seed: int = 0, *, whiten: bool = True) -> Split:
    """The rows of one table, as every method gets them.

    Parameters
    ----------
    name : one of TABLES.
    seed : decides the dequantisation, the shuffle and the noise.
    whiten : False standardises the columns and adds no noise, for imputation: after whitening the
        other columns would have nothing left to tell about a missing one.

    Returns
    -------
    Split of float64 rows.

    Raises
    ------
    ValueError
        If there is no table of that name.
    FileNotFoundError
        If the shared data are absent.
    """
    if name not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}: got {name!r}.")
    table = TABLES[name]
    rng = np.random.default_rng(seed)
    rows = distinct_rows(table)
    if table.rounded:
        rows = dequantised(rows, rng)
    rows = rng.permutation(rows[:, distinct_columns(rows)])
    test, rest = tenth(rows)
    validation, train = tenth(rest)
    mean = train.mean(axis=0)
    parts = [train - mean, validation - mean, test - mean]
    if not whiten:
        return Split(*(part / train.std(axis=0) for part in parts))
    eigenvalues, eigenvectors = np.linalg.eigh(np.cov(train, rowvar=False))
    whitening = eigenvectors / np.sqrt(eigenvalues)
    return Split(
        *(part @ whitening + rng.normal(0.0, NOISE_STD, size=part.shape) for part in parts)
    )


def distinct_rows(table: Table) -> Array:
    """The table's rows in lexicographic order, each once: (n, d)."""
    rows = np.loadtxt(SHARED / "data" / table.file, delimiter=",", skiprows=1, dtype=np.float64)
    return np.unique(rows, axis=0)


def dequantised(rows: Array, rng: np.random.Generator) -> Array:
    """Add U(−g, g) to each column, g the median gap between its neighbouring values: (n, d)."""
    gaps = [np.median(np.diff(np.unique(column))) for column in rows.T]
    return rows + np.column_stack([rng.uniform(-gap, gap, size=len(rows)) for gap in gaps])


def distinct_columns(rows: Array) -> list[int]:
    """Indices of the columns that no earlier kept column nearly repeats."""
    correlation = np.abs(np.corrcoef(rows, rowvar=False))
    kept: list[int] = []
    for column in range(rows.shape[1]):
        if (correlation[column, kept] <= CORRELATION_LIMIT).all():
            kept.append(column)
    return kept


def tenth(rows: Array) -> tuple[Array, Array]:
    """The first tenth of the rows, rounded down, and the rest."""
    cut = len(rows) // 10
    return rows[:cut], rows[cut:]
