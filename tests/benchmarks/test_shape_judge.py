"""The judge's own arithmetic, and a judge of few steps from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.shape_judge import Judge, Verdict, held_out, kept, real, total_variation, unit
from benchmarks.shape_spoilers import LEARNT
from torch import Tensor, nn

from scorematching.data import shapes


def test_total_variation_is_the_largest_difference_of_an_event() -> None:
    assert total_variation([0.25] * 4, [0.25] * 4) == 0.0
    assert total_variation([1, 0, 0, 0], [0, 0, 0, 1]) == 1.0
    assert total_variation([0.6, 0.2, 0.15, 0.05], [0.25] * 4) == pytest.approx(0.35)
    p, q = np.random.default_rng(0).dirichlet(np.ones(4), 2)
    events = [[k >> j & 1 for j in range(4)] for k in range(16)]
    assert total_variation(p, q) == pytest.approx(max(abs(e @ (p - q)) for e in np.array(events)))


def test_proportions_count_the_accepted_and_acceptance_each_class() -> None:
    verdict = Verdict(
        np.array([True, True, False, True, False]), np.array([0, 0, 0, 2, 3], dtype=np.int64)
    )
    assert verdict.proportions.tolist() == pytest.approx([2 / 3, 0, 1 / 3, 0])
    assert verdict.acceptance().tolist() == pytest.approx([2 / 3, 0, 1, 0])


class _Says(nn.Module):
    """Logits that name class 1, and none by the mean of the image."""

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.zeros(len(x), 5)
        logits[:, 1] = 1.0
        logits[:, 4] = 10 * x.mean((1, 2, 3))
        return logits


def test_an_image_is_accepted_where_none_is_less_probable_than_the_threshold() -> None:
    images = np.zeros((3, 28, 28))
    images[1], images[2] = 0.1, 1.0
    at_one = float(torch.softmax(torch.tensor([0, 1, 0, 0, 1.0]), 0)[4])
    verdict = Judge(_Says(), at_one * 1.01)(images)
    assert verdict.accepted.tolist() == [True, True, False]
    assert verdict.classes.tolist() == [1, 1, 1]
    assert Judge(_Says(), at_one * 0.99)(images).accepted.tolist() == [True, False, False]


def test_real_images_are_the_shapes_of_the_library() -> None:
    images, classes = real(50, np.random.default_rng(0))
    drawn = unit(shapes(50).images)
    assert images.shape == drawn.shape == (50, 28, 28)
    assert (images.max(), drawn.max()) == (1.0, 1.0)
    np.testing.assert_allclose(images * 255, np.round(images * 255), atol=1e-9)
    assert set(classes.tolist()) == {0, 1, 2, 3}


@pytest.mark.slow
def test_a_judge_of_few_steps_tells_the_classes_and_is_kept(tmp_path: Path) -> None:
    judge = kept(tmp_path, steps=60)
    found = held_out(judge, n=300)
    learnt = [found[way.__name__] for way in LEARNT]
    assert np.mean(learnt) > 0.93  # by the choice of the threshold
    assert found["accepted"] > 1 - np.mean(learnt)  # better than chance
    images, classes = real(300, np.random.default_rng(5))
    verdict = judge(images)
    assert (verdict.classes == classes).mean() > 0.9
    again = kept(tmp_path, steps=60)
    assert again.threshold == judge.threshold
    np.testing.assert_array_equal(again(images).accepted, verdict.accepted)
