"""Several networks in place of one; their mean has less variance than each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput


class Ensemble(nn.Module):
    """The mean of its members in evaluation; in training every member has rows of its own.

    In training mode row i goes to member i mod M alone, so that one step on a batch of M·B rows is
    one step of each of M independent networks on B rows.

    Parameters
    ----------
    members
        Networks of the same arguments.

    Raises
    ------
    InvalidInput
        There are no members; or, in training, fewer rows than members.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise InvalidInput("an ensemble needs at least one member: got none.")
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor, *arguments: Tensor) -> Tensor:
        """x ``(n, …)`` and further arguments ``(n, …)`` → the shape that a member returns."""
        count = len(self.members)
        if not self.training:
            outputs = [member(x, *arguments) for member in self.members]
            return torch.stack(outputs).mean(0)
        if len(x) < count:
            raise InvalidInput(
                f"training {count} members needs at least {count} rows a batch: got {len(x)}. "
                "Raise batch_size, or lower n_members."
            )
        parts = [
            member(x[i::count], *(each[i::count] for each in arguments))
            for i, member in enumerate(self.members)
        ]
        output: Tensor = parts[0].new_empty(len(x), *parts[0].shape[1:])
        for i, part in enumerate(parts):
            output[i::count] = part
        return output
