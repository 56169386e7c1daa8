"""The autoencoder with tied weights, whose score is that of an energy in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scorematching.shapes import event_size, positive


class TiedAutoencoder(nn.Module):
    """r(x) = c + Wᵀ sigmoid(W x + b), trained at one noise level σ by `objectives.dae`.

    (r(x) − x)/σ² = −∇E(x), the score of p(x) ∝ e^{−E(x)} with the energy

        E(x) = [½‖x‖² − cᵀx − Σⱼ softplus(wⱼᵀx + bⱼ)]/σ²,

    wⱼ the rows of W: the same W encodes and decodes, or there would be no energy. For σ = 1 the
    density is a mixture of 2ʰ Gaussians N(c + Wᵀh, I), one for each h of zeros and ones.

    Parameters
    ----------
    d
        Coordinates of a row, whatever the shape of the event.
    n_hidden
        Hidden units.
    sigma
        σ, in the units of x.

    Raises
    ------
    InvalidInput
        sigma is not positive and finite.

    References
    ----------
    P. Vincent, "A connection between score matching and denoising autoencoders", Neural
    Computation 23 (2011), equations 11 and 12.
    """

    def __init__(self, d: int, n_hidden: int, sigma: float) -> None:
        super().__init__()
        positive(sigma, "sigma", "Pass the noise standard deviation, not its variance.")
        self.encoder = nn.Linear(d, n_hidden)
        self.offset = nn.Parameter(torch.zeros(d))
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction r(x), like x."""
        flat = x.reshape(len(x), event_size(x))
        rebuilt = self.offset + torch.sigmoid(self.encoder(flat)) @ self.encoder.weight
        return rebuilt.reshape(x.shape)

    def energy(self, x: Tensor) -> Tensor:
        """E(x), ``(n, *event)`` → ``(n,)`` in nats; ``from_energy(net.energy)`` is its score."""
        flat = x.reshape(len(x), event_size(x))
        hidden = nn.functional.softplus(self.encoder(flat)).sum(1)
        energy: Tensor = (flat**2).sum(1) / 2 - flat @ self.offset - hidden
        return energy / self.sigma**2
