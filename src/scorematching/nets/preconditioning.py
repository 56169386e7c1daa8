"""A network around a Gaussian: what F has to learn is of order one at every noise level.

T. Karras et al., "Elucidating the design space of diffusion-based generative models" (NeurIPS
2022), with a Gaussian of full covariance in place of their isotropic one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.nets.gaussian_base import GaussianBase
from scorematching.noise.process import Process
from scorematching.shapes import check_like, per_row


class PreconditionedDenoiser(nn.Module):
    """D(x, σ) = D_Gauss(x, σ) + c_out(σ) F(c_in(σ)(x − μ), ln σ).

    c_in scales the input of F to unit variance; c_out is the residual scale of the Gaussian, so
    that F is of order one at every level.

    Parameters
    ----------
    net
        F: x ``(n, *event)``, ln σ ``(n,)`` [, classes ``(n,)``] → like x. Any ``nn.Module``.
    base
        The Gaussian.
    feed_base
        Whether F also sees (D_Gauss − μ)/√(mean variance), stacked on axis 1.
    """

    def __init__(self, net: nn.Module, base: GaussianBase, *, feed_base: bool = False) -> None:
        super().__init__()
        self.net = net
        self.base = base
        self.feed_base = feed_base

    def forward(self, x: Tensor, sigma: Tensor, classes: Tensor | None = None) -> Tensor:
        """E[x₀ | x₀ + σz = x] as the network has it, like x; σ is ``(n,)`` or ``()``.

        Raises
        ------
        InvalidInput
            The network returns another shape than x.
        """
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        denoised: Tensor = self.base(x, sigma)
        inputs = (x - self.base.mean) / per_row(self.base.noised_scale(sigma), x)
        if self.feed_base:
            scale = self.base.noised_scale(torch.zeros_like(sigma))
            extra = (denoised - self.base.mean) / per_row(scale, x)
            inputs = torch.cat([inputs, extra], 1)
        log_sigma = sigma.log().expand(len(x))
        arguments = (inputs, log_sigma) if classes is None else (inputs, log_sigma, classes)
        correction: Tensor = check_like(self.net(*arguments), x, "the network")
        return denoised + per_row(self.base.residual_scale(sigma), x) * correction


@dataclass(frozen=True)
class UnitOutputWeight:
    """λ(t) = σ⁴/(α² c_out²), which makes the denoising loss ½‖F − F*‖²: unit weight on F.

    With C = I it is the EDM weight for σ_d = 1. (α D − x)/σ² turns an error of F into an error
    α c_out/σ² times as large in the score.
    """

    base: GaussianBase

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        scale = self.base.residual_scale(process.noise_level(t))
        return process.sigma(t) ** 4 / (process.alpha(t) * scale) ** 2


@dataclass(frozen=True)
class ForClasses:
    """A denoiser with the classes of its rows filled in: (x, σ) ↦ D(x, σ, classes)."""

    denoiser: nn.Module
    classes: Tensor

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        denoised: Tensor = self.denoiser(x, sigma, self.classes)
        return denoised
