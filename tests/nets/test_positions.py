"""Positions on a line and in a plane: shuffled, padded, counted."""

from __future__ import annotations

import pytest
import torch

from scorematching.nets.positions import coordinates, cropped, padded, shuffle, unshuffle


def test_channels_that_follow_each_other_become_neighbours_on_a_line() -> None:
    x = torch.arange(12.0).reshape(1, 4, 3)  # two channels, doubled
    expected = [[0.0, 3.0, 1.0, 4.0, 2.0, 5.0], [6.0, 9.0, 7.0, 10.0, 8.0, 11.0]]
    assert shuffle(x, 2)[0].tolist() == expected
    as_image = shuffle(torch.cat([x[:, :, None], x[:, :, None]], 2)[:, [0, 1, 0, 1, 2, 3, 2, 3]], 2)
    assert as_image[0, :, 0].tolist() == expected  # what pixel shuffle does along a row


@pytest.mark.parametrize("shape", [(2, 3, 12), (2, 3, 6, 12)])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_unshuffling_undoes_it(shape: tuple[int, ...], factor: int) -> None:
    x = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    apart = unshuffle(x, factor)
    assert apart.shape[1] == 3 * factor ** (len(shape) - 2)
    assert torch.equal(shuffle(apart, factor), x)


def test_coordinates_run_from_end_to_end_along_each_axis() -> None:
    line = coordinates(torch.zeros(2, 5, 3))
    assert line.tolist() == [[[-1.0, 0.0, 1.0]]] * 2
    plane = coordinates(torch.zeros(1, 5, 2, 3))
    assert plane[0].tolist() == [[[-1.0] * 3, [1.0] * 3], [[-1.0, 0.0, 1.0]] * 2]


@pytest.mark.parametrize("shape", [(1, 2, 5), (1, 2, 5, 7), (1, 2, 8, 4)])
def test_padding_fills_up_with_zeros_behind_and_is_taken_off_again(shape: tuple[int, ...]) -> None:
    x = torch.ones(shape)
    wide = padded(x, 4)
    assert all(
        size % 4 == 0 and size - old < 4
        for size, old in zip(wide.shape[2:], shape[2:], strict=True)
    )
    assert torch.equal(cropped(wide, x.shape), x)
    assert wide.sum() == x.sum()
