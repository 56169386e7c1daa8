"""The straight line from data to noise: flow matching and rectified flow.

Y. Lipman et al., "Flow matching for generative modeling"; X. Liu, C. Gong, Q. Liu, "Flow straight
and fast"; M. S. Albergo, E. Vanden-Eijnden, "Building normalizing flows with stochastic
interpolants" (all ICLR 2023). They often count time the other way, from noise at 0 to data at 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from scorematching.noise.process import Process
from scorematching.noise.vp import check_times


@dataclass(frozen=True)
class StraightLine(Process):
    """x_t = (1 − t) x + t z, t ∈ [t_min, t_max] ⊂ (0, 1).

    The velocity of a path is z − x, `path_velocity`; its mean given x_t, E[z − x | x_t], is the
    velocity of the probability flow, `velocity_from_score`. A model u_θ(x, t) of it is learned by
    ½‖u_θ(x_t, t) − (z − x)‖², which is `ncsn` of ``VelocityScore(u, StraightLine())`` with the
    weight ``FlowMatching()``.

    Raises
    ------
    InvalidInput
        Unless 0 < t_min < t_max < 1.
    """

    t_min: float = 0.002
    t_max: float = 0.99

    def __post_init__(self) -> None:
        check_times(self.t_min, self.t_max)

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        return t
