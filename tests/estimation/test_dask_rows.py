from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

import scorematching as sm
from scorematching.errors import InvalidInput
from scorematching.estimation import DaskRows, Estimate
from scorematching.random import normal, seeded

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("dask") is None, reason="needs the extra dask, which is not installed"
)
X = normal((90, 2), torch.zeros((), dtype=torch.float64), seeded("dask")).exp()
FAMILY = sm.families.Gaussian(2)
ORTHANT = sm.domains.PositiveOrthant(2)


def assert_in_memory(found: Estimate) -> None:
    expected = sm.estimate(FAMILY, X, domain=ORTHANT)
    torch.testing.assert_close(found.theta, expected.theta, rtol=1e-10, atol=0)
    torch.testing.assert_close(found.std_errors, expected.std_errors, rtol=1e-10, atol=0)


@needs_dask
def test_blocks_of_a_dask_array_give_the_estimate_in_memory() -> None:
    import dask.array as array

    for chunks in ((40, 2), (31, 1)):
        rows = array.from_array(X.numpy(), chunks=chunks)
        assert_in_memory(sm.estimate(FAMILY, rows, domain=ORTHANT))
    unknown = array.from_array(np.concatenate([X.numpy(), -X.numpy()]), chunks=(45, 2))
    assert_in_memory(sm.estimate(FAMILY, unknown[unknown[:, 0] > 0], domain=ORTHANT))


@needs_dask
def test_partitions_of_a_dask_frame_give_the_estimate_in_memory() -> None:
    import dask.dataframe as frames

    pandas = pytest.importorskip("pandas")
    frame = frames.from_pandas(pandas.DataFrame(X.numpy(), columns=["a", "b"]), npartitions=4)
    assert_in_memory(sm.estimate(FAMILY, frame, domain=ORTHANT))
    with pytest.raises(InvalidInput, match="rows of 3 columns"):
        sm.estimate(sm.families.Gaussian(3), frame)
    with pytest.raises(InvalidInput, match="to_frame"):
        sm.estimate(sm.families.Gaussian(1), frame["a"])


def test_without_dask_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"pip install 'scorematching\[dask\]'"):
        DaskRows(X)
