from __future__ import annotations

import itertools

import pytest

from report.subjects import subject
from scorematching.report import effort
from scorematching.report.effort import effort_for, flops_a_row


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_network_of_more_work_is_asked_for_fewer_rows(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    model = subject(kind).model
    flops = flops_a_row(model)
    assert flops > 100
    found = []
    for work in (flops, 1e6, 1e7, 1e12):
        monkeypatch.setattr(effort, "flops_a_row", lambda _, work=work: work)
        found.append(effort_for(model))
    for more, less in itertools.pairwise(found):
        assert more.samples >= less.samples
        assert more.scored >= less.scored
        assert more.map_side >= less.map_side
    assert (found[-1].samples, found[-1].scored, found[-1].map_side) == (60, 8, 20)
