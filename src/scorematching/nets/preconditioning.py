"""A network around a Gaussian: what F has to learn is of order one at every noise level.

T. Karras et al., "Elucidating the design space of diffusion-based generative models" (NeurIPS
2022), with a Gaussian of full covariance in place of their isotropic one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorematching.nets.conditional_base import BaseForRows, ConditionalBase
from scorematching.nets.gaussian_base import GaussianBase
from scorematching.noise.process import Process
from scorematching.shapes import check_like, per_row


class PreconditionedDenoiser(nn.Module):
    """D(x, σ) = D_Gauss(x, σ) + c_out(σ) F(c_in(σ)(x − μ), ln σ).

    All of them depend on what a row is given as well, where it is given something. c_in scales
    the input of F to unit variance; c_out is the residual scale of the Gaussian, so that F is of
    order one at every level.

    Parameters
    ----------
    net
        F: x ``(n, *event)``, ln σ ``(n,)`` [, classes ``(n,)``] [, condition ``(n, k)``] → like x.
        Any ``nn.Module``; `nets.given` says what rows that are told nothing have there.
    base
        The Gaussian, or one given the condition.
    feed_base
        Whether F also sees (D_Gauss − μ)/√(mean variance), stacked on axis 1.
    """

    def __init__(
        self, net: nn.Module, base: GaussianBase | ConditionalBase, *, feed_base: bool = False
    ) -> None:
        super().__init__()
        self.net = net
        self.base = base
        self.feed_base = feed_base

    def forward(self, x: Tensor, sigma: Tensor, *given: Tensor) -> Tensor:
        """E[x₀ | x₀ + σz = x, given] as the network has it, like x; σ is ``(n,)`` or ``()``.

        Raises
        ------
        InvalidInput
            The network returns another shape than x.
        """
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        base = self.base.for_rows(*given)
        denoised: Tensor = base(x, sigma)
        inputs = (x - base.mean) / per_row(base.noised_scale(sigma), x)
        if self.feed_base:
            scale = base.noised_scale(torch.zeros_like(sigma))
            extra = (denoised - base.mean) / per_row(scale, x)
            inputs = torch.cat([inputs, extra], 1)
        log_sigma = sigma.log().expand(len(x))
        correction: Tensor = check_like(self.net(inputs, log_sigma, *given), x, "the network")
        return denoised + per_row(base.residual_scale(sigma), x) * correction


@dataclass(frozen=True)
class UnitOutputWeight:
    """λ(t) = σ⁴/(α² c_out²), which makes the denoising loss ½‖F − F*‖²: unit weight on F.

    With C = I it is the EDM weight for σ_d = 1. (α D − x)/σ² turns an error of F into an error
    α c_out/σ² times as large in the score.
    """

    base: GaussianBase | BaseForRows

    def __call__(self, process: Process, t: Tensor) -> Tensor:
        scale = self.base.residual_scale(process.noise_level(t))
        return process.sigma(t) ** 4 / (process.alpha(t) * scale) ** 2
