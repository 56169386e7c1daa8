"""Rows spread over the processes of torch.distributed: statistics are gathered and merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from scorematching.errors import InvalidInput
from scorematching.estimation.covariance import CONVENTION, Covariance, Sandwich, Uncertainty
from scorematching.estimation.minimum import Minimum
from scorematching.estimation.portions import as_portions
from scorematching.structured import Statistic

Group = Any  # torch.distributed.ProcessGroup, which some builds of torch lack


def all_reduce(statistic: Statistic, group: Group | None = None) -> Statistic:
    """The statistic of the rows of all processes, the same bits in each of them.

    Parameters
    ----------
    statistic
        Of this process's rows, possibly none; every process calls with the same family and domain.
    group
        The processes; all of them by default.

    Raises
    ------
    InvalidInput
        torch.distributed is not initialised, or the statistic is no dataclass of tensors.
    """
    _check_initialised()
    if not hasattr(statistic, "__dataclass_fields__"):
        raise InvalidInput(
            f"only statistics that are dataclasses of tensors can be sent: got {statistic!r}. "
            "Merge them by hand (merge)."
        )
    sent: Any = statistic
    names = [each.name for each in fields(sent) if isinstance(getattr(sent, each.name), Tensor)]
    tensors = [getattr(sent, name) for name in names]
    count = torch.tensor([statistic.n], dtype=torch.float64)  # exact up to 2⁵³ rows
    packed = torch.cat([count, *(each.detach().cpu().double().flatten() for each in tensors)])
    each = []
    for row in _gathered(packed, group):
        parts = torch.split(row[1:], [tensor.numel() for tensor in tensors])
        changes: dict[str, Any] = {
            name: part.reshape(tensor.shape).to(tensor)
            for name, part, tensor in zip(names, parts, tensors, strict=True)
        }
        each.append(replace(sent, n=round(row[0].item()), **changes))
    merged: Statistic = reduce(_merged, each)
    return merged


def _merged(one: Any, other: Any) -> Any:
    return one.merge(other)


@dataclass(frozen=True, eq=False)
class Shard:
    """This process's share of the rows: ``sm.estimate(family, Shard(x))`` under torchrun.

    Every process calls with rows of its own and gets the estimate of all, standard errors too.

    Parameters
    ----------
    rows
        Anything that `estimate` takes.
    group
        The processes; all of them by default.

    Raises
    ------
    InvalidInput
        torch.distributed is not initialised.
    """

    rows: Any
    group: Group | None = None

    def __post_init__(self) -> None:
        _check_initialised()

    def portions(self, d: int) -> Iterator[Tensor]:
        """This process's rows, ``(m, d)`` at a time."""
        return as_portions(self.rows, d)

    def __str__(self) -> str:
        return f"the rows of process {dist.get_rank(self.group)}"

    def covariance(self, asked: Covariance | None) -> Covariance | None:
        """What the processes do together in place of what was asked for.

        Raises
        ------
        InvalidInput
            It is no `Sandwich`.
        """
        if asked is None:
            return None
        if type(asked) is not Sandwich:
            raise InvalidInput(
                f"over several processes the covariance is Sandwich() or None: got {asked!r}."
            )
        return _SharedSandwich(self.group)


@dataclass(frozen=True, eq=False)
class _SharedSandwich:
    """`Sandwich`, Σᵢ gᵢgᵢᵀ summed over the processes in the order of their ranks."""

    group: Group | None

    def __call__(self, minimum: Minimum, rows: Iterable[Tensor]) -> Uncertainty:
        k = len(minimum.phi)
        total, n, failed = torch.zeros(k, k, dtype=torch.float64), 0, None
        try:
            for part in minimum.row_terms(rows):
                total += (part.mT @ part).cpu()
                n += len(part)
        except InvalidInput as error:
            failed = error
        agree(failed, self.group)
        packed = torch.cat([torch.tensor([n], dtype=torch.float64), total.flatten()])
        summed = _gathered(packed, self.group).sum(0)
        count = round(summed[0].item())
        covariance = minimum.sandwich(summed[1:].reshape(k, k).to(minimum.phi))
        return Uncertainty(covariance / (count * (count - 1)), CONVENTION)


def agree(error: Exception | None, group: Group | None) -> None:
    """Raise in every process what any of them met, so that none waits for the others for ever."""
    mine = torch.tensor([0.0 if error is None else 1.0], dtype=torch.float64)
    failed = [rank for rank, each in enumerate(_gathered(mine, group)) if each.item()]
    if error is not None:
        raise error
    if failed:
        raise InvalidInput(f"process {failed[0]} refused its rows; its own error says why.")


def _gathered(packed: Tensor, group: Group | None) -> Tensor:
    """The vectors of all processes, one a row, in the order of their ranks."""
    cuda = dist.get_backend(group) == "nccl"
    mine = packed.to("cuda") if cuda else packed
    each = [torch.empty_like(mine) for _ in range(dist.get_world_size(group))]
    dist.all_gather(each, mine, group=group)
    return torch.stack(each).cpu()


def _check_initialised() -> None:
    if not dist.is_available() or not dist.is_initialized():
        raise InvalidInput(
            "torch.distributed is not initialised. Start with torchrun, and call "
            "torch.distributed.init_process_group('gloo') first."
        )
