from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch
from torch import Tensor

import scorematching as sm
from scorematching.errors import DataError, InvalidInput, NotIdentified
from scorematching.estimation import (
    Accumulator,
    Bootstrap,
    Chunks,
    ClusterRobust,
    Estimate,
    Sandwich,
)
from scorematching.random import normal, seeded, uniform

D = 3
ROWS = 500
like = torch.zeros((), dtype=torch.float64)


def gaussian_rows(n: int = ROWS) -> Tensor:
    """Correlated, shifted and on scales apart."""
    z = normal((n, D), like, seeded("streaming"))
    mix = torch.tensor([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [-0.3, 0.2, 30.0]], dtype=torch.float64)
    return z @ mix.mT + torch.tensor([100.0, -2.0, 5.0], dtype=torch.float64)


def exponential_rows() -> Tensor:
    """Spread from zero up: roots of rows far from it hardly differ, and lose digits to that."""
    return -uniform((ROWS, D), like, seeded("exponential")).log()


def composition(n: int = ROWS) -> Tensor:
    x = -uniform((n, D), like, seeded("composition")).log()
    return x / x.sum(1, keepdim=True)


CASES = {
    "gaussian": (sm.families.Gaussian(D), None, gaussian_rows),
    "truncated": (
        sm.families.Gaussian(D),
        sm.domains.PositiveOrthant(D, weight=sm.domains.MinPower(1, 3)),
        lambda: gaussian_rows().abs().sqrt(),
    ),
    "dirichlet": (sm.families.Dirichlet(D), None, composition),
    "exp-sqrt": (
        sm.families.PairwiseInteraction(D, 0.5, 0.5),
        None,
        exponential_rows,
    ),
}


def assert_same(found: Estimate, expected: Estimate, tolerance: float = 1e-10) -> None:
    """To a relative 1e-10: the sums are added in another order."""
    assert found.n == expected.n
    torch.testing.assert_close(found.theta, expected.theta, rtol=tolerance, atol=1e-13)
    torch.testing.assert_close(found.std_errors, expected.std_errors, rtol=tolerance, atol=1e-13)
    assert found.objective == pytest.approx(expected.objective, rel=tolerance)
    assert found.convention == expected.convention


def write(path: Path, x: Tensor, rows: int = 130) -> Path:
    table = pa.table({f"c{j}": column.numpy() for j, column in enumerate(x.unbind(1))})
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path, row_group_size=rows)
    return path


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sizes", [[1, 1, 1, 497], [250, 250]])
def test_portions_of_any_size_in_any_order_give_the_estimate_of_all_rows(
    case: str, sizes: list[int]
) -> None:
    family, domain, draw = CASES[case]
    x = draw()
    expected = sm.estimate(family, x, domain=domain)
    parts = torch.split(x, sizes)
    one, other = Accumulator.of(family, domain=domain), Accumulator.of(family, domain=domain)
    for part in parts[::-1][: len(parts) // 2]:
        one = one.update(part)
    for part in parts[::-1][len(parts) // 2 :]:
        other = other.update(part)
    assert_same(one.merge(other).finalize(x), expected)


def test_the_order_of_the_rows_does_matter_to_standard_errors_of_other_rows() -> None:
    """The control: a second pass over other rows is another covariance, or refused."""
    x = gaussian_rows()
    so_far = Accumulator.of(sm.families.Gaussian(D)).update(x)
    right, wrong = so_far.finalize(x), so_far.finalize(x + 1)
    assert not torch.allclose(right.std_errors, wrong.std_errors)
    with pytest.raises(InvalidInput, match="got 499 of 500"):
        so_far.finalize(x[1:])


def test_without_a_second_pass_the_estimate_says_that_it_has_no_standard_errors() -> None:
    x = gaussian_rows()
    found = Accumulator.of(sm.families.Gaussian(D)).update(x).finalize()
    torch.testing.assert_close(found.theta, sm.estimate(sm.families.Gaussian(D), x).theta)
    assert found.uncertainty is None
    assert "second pass" in found.summary()
    with pytest.raises(InvalidInput, match="second time"):
        _ = found.std_errors


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize("rows", [170, 65_536])
def test_a_file_in_portions_gives_the_estimate_in_memory(
    tmp_path: Path, ending: str, rows: int
) -> None:
    x = composition()
    path = write(tmp_path / f"x{ending}", x)
    expected = sm.estimate(sm.families.Dirichlet(D), x)
    assert_same(sm.estimate(sm.families.Dirichlet(D), Chunks(path, rows=rows)), expected)
    assert_same(sm.estimate(sm.families.Dirichlet(D), path), expected)


def test_constraints_ridges_and_other_covariances_work_in_portions(tmp_path: Path) -> None:
    x = gaussian_rows(120)
    path = write(tmp_path / "x.parquet", x)
    family = sm.families.Gaussian(D)
    labels = np.arange(120) // 4
    for options in (
        {"fixed": {"K[2,1]": 0.0}, "tied": [("eta[1]", "eta[2]")]},
        {"ridge": 0.1},
        {"covariance": ClusterRobust(labels)},
        {"covariance": Bootstrap(n_draws=20, seed=3)},
    ):
        found = sm.estimate(family, Chunks(path, rows=50), **options)  # type: ignore[arg-type]
        expected = sm.estimate(family, x, **options)  # type: ignore[arg-type]
        assert_same(found, expected, 1e-9 if "ridge" in options else 1e-10)
        assert found.notes == expected.notes


def test_columns_are_chosen_by_name_and_in_order(tmp_path: Path) -> None:
    x = gaussian_rows()
    path = write(tmp_path / "x.csv", x)
    chosen = Chunks(path, columns=["c2", "c0"], rows=99)
    assert chosen.names == ("c2", "c0")
    assert_same(
        sm.estimate(sm.families.Gaussian(2), chosen),
        sm.estimate(sm.families.Gaussian(2), x[:, [2, 0]]),
    )
    dropped = Chunks(path, drop=["c1"])
    assert torch.equal(torch.cat(list(dropped.portions(2))), x[:, [0, 2]])
    np.testing.assert_array_equal(dropped.column("c1").astype(np.float64), x[:, 1].numpy())


def test_a_log_density_of_ones_own_is_estimated_in_portions_where_it_is_linear(
    tmp_path: Path,
) -> None:
    def normal_density(x: Tensor, theta: Tensor) -> Tensor:
        return -theta[0] * x[:, 0] ** 2 / 2 + theta[1] * x[:, 0]

    def student(x: Tensor, theta: Tensor) -> Tensor:
        return -(theta[0] + 1) / 2 * (x[:, 0] ** 2 / theta[0]).log1p()

    x = gaussian_rows()[:, 1:2]
    path = write(tmp_path / "x.parquet", x)
    where, start = sm.domains.Euclidean(1), [1.0, 0.0]
    found = sm.estimate(normal_density, Chunks(path, rows=100), domain=where, theta0=start)
    expected = sm.estimate(normal_density, x, domain=where, theta0=start)
    assert_same(found, expected)
    assert "linear" in found.notes[0]
    with pytest.raises(InvalidInput, match="not linear"):
        sm.estimate(student, path, domain=where, theta0=[3.0])


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (sm.families.Gamma(), "linear|columns"),
        (sm.families.VonMisesFisher(D, direction_first=True), "all rows at once"),
        (sm.families.IndependentComponents(D), "not linear"),
    ],
)
def test_families_that_need_all_rows_at_once_are_refused(
    tmp_path: Path, family: object, words: str
) -> None:
    x = gaussian_rows()
    path = write(tmp_path / "x.parquet", x / x.norm(dim=1, keepdim=True))
    with pytest.raises(InvalidInput, match=words):
        sm.estimate(family, path)  # type: ignore[arg-type]


def test_a_row_outside_the_domain_is_named_with_its_portion(tmp_path: Path) -> None:
    x = gaussian_rows().abs()
    x[437, 1] = -1.0
    path = write(tmp_path / "x.parquet", x)
    with pytest.raises(InvalidInput, match=r"row 37.*from row 400 of .*x\.parquet"):
        sm.estimate(
            sm.families.Gaussian(D),
            Chunks(path, rows=100),
            domain=sm.domains.PositiveOrthant(D),
        )


def test_unidentified_directions_and_too_few_rows_are_named_as_in_memory(tmp_path: Path) -> None:
    x = gaussian_rows()
    x[:, 2] = x[:, 0]
    with pytest.raises(NotIdentified, match="identify"):
        sm.estimate(sm.families.Gaussian(D), write(tmp_path / "x.parquet", x))
    with pytest.raises(InvalidInput, match="n = 1"):
        Accumulator.of(sm.families.Gaussian(1)).update([[1.0]]).finalize()
    zeros = write(tmp_path / "zeros.parquet", torch.zeros(20, D, dtype=torch.float64))
    with pytest.raises(InvalidInput, match="boundary"):
        sm.estimate(sm.families.Gaussian(D), zeros, domain=sm.domains.PositiveOrthant(D))


def test_accumulators_of_different_things_do_not_merge() -> None:
    one = Accumulator.of(sm.families.Gaussian(2))
    with pytest.raises(InvalidInput, match="only accumulators of one family"):
        one.merge(Accumulator.of(sm.families.Gaussian(3)))
    truncated = Accumulator.of(sm.families.Gaussian(2), domain=sm.domains.PositiveOrthant(2))
    with pytest.raises(InvalidInput, match="only accumulators of one family"):
        one.merge(truncated)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,x\n", "x"),
        ("a,b\n1,2\n3,\n", "''"),
        ("a,b\n1,2\n3,nan\n", r"'b' must hold finite numbers: got nan \(row 1"),
        ("a,b\n1,2\n3\n", "Expected 2 columns"),
        ("a,a\n1,2\n3,4\n", "same name 'a'"),
        ("", "empty"),
        ("a;b\n1;2\n", "expected rows of 2 columns, got 1"),
    ],
)
def test_damaged_text_is_refused_with_the_file_and_the_place(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "bad file.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        sm.estimate(sm.families.Gaussian(2), path)
    assert "bad file.csv" in str(caught.value)


def test_missing_cells_text_and_unknown_columns_of_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pa.table({"a": [1.0, None], "b": ["x", "y"], "n": [1, 2]}), path)
    one = sm.families.Gaussian(1)
    with pytest.raises(DataError, match=r"'a' must hold finite numbers: got missing \(row 1"):
        sm.estimate(one, Chunks(path, columns=["a"]))
    with pytest.raises(DataError, match="'b' must hold numbers: got string"):
        sm.estimate(one, Chunks(path, columns=["b"]))
    with pytest.raises(DataError, match="'c'"):
        Chunks(path, columns=["c"])
    with pytest.raises(DataError, match="no such file"):
        Chunks(tmp_path / "none.parquet")
    with pytest.raises(InvalidInput, match=r"\.parquet, \.csv and \.tsv"):
        Chunks(tmp_path / "x.npy")
    with pytest.raises(InvalidInput, match="rows must be an integer"):
        Chunks(path, rows=0)
    with pytest.raises(InvalidInput, match="list of names"):
        Chunks(path, columns="a")


def test_the_covariance_of_a_source_that_reads_once_is_refused_not_wrong() -> None:
    class Once:
        def __init__(self) -> None:
            self.left = list(torch.split(gaussian_rows(), 100))

        def portions(self, d: int) -> object:
            while self.left:
                yield self.left.pop(0)

    with pytest.raises(InvalidInput, match="second pass must read the same rows: got 0 of 500"):
        sm.estimate(sm.families.Gaussian(D), Once(), covariance=Sandwich())
    assert sm.estimate(sm.families.Gaussian(D), Once(), covariance=None).n == ROWS
