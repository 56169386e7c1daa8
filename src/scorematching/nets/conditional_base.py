"""The Gaussian base given a condition: what a linear regression on it explains is in the mean.

If x₀ given c is N(μ + cB, R), then E[x₀ | x₀ + σz = x, c] = cB + D_R(x − cB, σ), where D_R is the
denoiser of N(μ, R). A network that adds to it learns only what linear-Gaussian dependence misses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.errors import InvalidInput
from scorematching.nets.gaussian_base import MAX_RANK, GaussianBase
from scorematching.nets.given import known

#: With fewer rows for each number of a condition no regression is fitted: it would be mostly noise.
ROWS_A_CONDITION = 10


class ConditionalBase(nn.Module):
    """x₀ given c ~ N(μ + cB, R); and x₀ ~ N(μ, C) for rows that are told nothing.

    Parameters
    ----------
    marginal
        N(μ, C).
    residual
        N(μ, R), of x₀ − cB.
    slopes
        B, ``(k, d)``, for d coordinates of a row.

    Raises
    ------
    InvalidInput
        The shapes do not agree.
    """

    slopes: Tensor

    def __init__(self, marginal: GaussianBase, residual: GaussianBase, slopes: Tensor) -> None:
        super().__init__()
        shape = tuple(marginal.mean.shape)
        d = marginal.mean.numel()
        if tuple(residual.mean.shape) != shape or slopes.ndim != 2 or slopes.shape[1] != d:
            raise InvalidInput(
                f"for rows of shape {shape}, the residual must have the same and slopes (k, {d}): "
                f"got {tuple(residual.mean.shape)} and {tuple(slopes.shape)}."
            )
        self.marginal = marginal
        self.residual = residual
        self.register_buffer("slopes", slopes)

    @classmethod
    def fit(cls, x: Tensor, condition: Tensor, max_rank: int = MAX_RANK) -> ConditionalBase:
        """The least-squares regression of rows x ``(n, *event)`` on a condition ``(n, k)``.

        In float64, kept in the dtype of x. Directions in which the condition does not vary have
        slope 0, and so have all where there are fewer than `ROWS_A_CONDITION` rows a number.
        """
        marginal = GaussianBase.fit(x, max_rank)
        rows, numbers = x.detach().double().reshape(len(x), -1), condition.detach().double()
        centred = numbers - numbers.mean(0)
        slopes = rows.new_zeros(numbers.shape[1], rows.shape[1])
        if len(rows) >= ROWS_A_CONDITION * numbers.shape[1]:
            slopes = torch.linalg.pinv(centred, rtol=1e-10) @ (rows - rows.mean(0))
        left = (rows - numbers @ slopes).reshape(x.shape)
        residual = GaussianBase.fit(left, max_rank).to(x.dtype)
        return cls(marginal, residual, slopes.to(x.dtype))

    @property
    def mean(self) -> Tensor:
        """μ, of rows that are told nothing, ``(*event)``."""
        return self.marginal.mean

    def for_rows(self, *given: Tensor) -> BaseForRows:
        """The Gaussian of each row, given what it is told; the condition comes last.

        Raises
        ------
        InvalidInput
            There is no condition ``(n, k)``.
        """
        condition = given[-1] if given else torch.empty(0)
        if condition.ndim != 2 or condition.shape[1] != len(self.slopes):
            raise InvalidInput(
                f"the model was fitted with a condition of {len(self.slopes)} numbers a row: got "
                f"{f'shape {tuple(condition.shape)}' if given else 'none'}."
            )
        told = known(condition)
        numbers = torch.where(told[:, None], condition, torch.zeros_like(condition))
        # In 16 bits the shift would err by more than the noise at small σ.
        with torch.autocast(numbers.device.type, enabled=False):
            shift = numbers.to(self.slopes) @ self.slopes
        return BaseForRows(self, shift.reshape(-1, *self.mean.shape), told)


@dataclass(frozen=True)
class BaseForRows:
    """A `ConditionalBase` for n rows, each with what it is told; as a `GaussianBase` otherwise.

    Attributes
    ----------
    shift
        cB, ``(n, *event)``; zero where nothing is told.
    told
        Which rows are, ``(n,)``.
    """

    base: ConditionalBase
    shift: Tensor
    told: Tensor

    @property
    def mean(self) -> Tensor:
        """E[x₀ | c], ``(n, *event)``."""
        return self._either(self.base.residual.mean + self.shift, self.base.marginal.mean)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x₀ | x₀ + σz = x, c], like x; σ is ``(n,)`` or ``()``."""
        given = self.shift + self.base.residual(x - self.shift, sigma)
        return self._either(given, self.base.marginal(x, sigma))

    def residual_scale(self, sigma: Tensor) -> Tensor:
        """As of a `GaussianBase`, ``(n,)``."""
        residual, marginal = self.base.residual, self.base.marginal
        return self._either(residual.residual_scale(sigma), marginal.residual_scale(sigma))

    def noised_scale(self, sigma: Tensor) -> Tensor:
        """As of a `GaussianBase`, ``(n,)``."""
        residual, marginal = self.base.residual, self.base.marginal
        return self._either(residual.noised_scale(sigma), marginal.noised_scale(sigma))

    def draw(self, z: Tensor, sigma: float) -> Tensor:
        """x₀ + σz given c, from standard normal z ``(n, *event)``, like z."""
        given = self.shift + self.base.residual.draw(z, sigma)
        return self._either(given, self.base.marginal.draw(z, sigma))

    def log_density(self, x: Tensor, sigma: float) -> Tensor:
        """log p(x | c) of x₀ + σz in nats, ``(n,)``."""
        given = self.base.residual.log_density(x - self.shift, sigma)
        return self._either(given, self.base.marginal.log_density(x, sigma))

    def _either(self, given: Tensor, alone: Tensor) -> Tensor:
        """The first where a row is told something, the second where not."""
        told = self.told.reshape(-1, *(1,) * max(0, given.ndim - 1))
        return torch.where(told, given, alone)
