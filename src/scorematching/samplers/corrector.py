"""Predictor–corrector sampling: after each step down, Langevin steps at the level reached.

Y. Song et al., "Score-based generative modeling through stochastic differential equations" (ICLR
2021), section 4.2. The corrector pulls the rows back to p_t, whatever error the step has made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from scorematching.calculus import at
from scorematching.errors import InvalidInput
from scorematching.hutchinson import check_count
from scorematching.samplers.diffusion import Diffusion, Solver
from scorematching.samplers.langevin import langevin_step
from scorematching.samplers.walk import State, drawn
from scorematching.shapes import positive

S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class PredictorCorrector(Generic[S]):
    """A step of the predictor to t_next, then n_corrections Langevin steps of size 2 r² σ_next².

    The paper takes ε = 2 (r ‖z‖/‖s‖)² with norms averaged over the batch, so that a row depends on
    its neighbours and the step on its own noise. Here the ratio has its value for pure noise,
    ‖z‖/‖s‖ = σ. At a fixed r Langevin leaves an error of its own, a variance of 1 + 4r⁴ for 1 at
    pure noise; with r² falling as 1/n, n the number of steps, the weak order is 1.

    Parameters
    ----------
    predictor
        Any solver, such as ``EulerMaruyama()`` or ``DPMSolver2M()``.
    snr
        r, the paper's signal-to-noise ratio of a Langevin step; below 1, where 2r²σ² = 2σ² is the
        largest step that is stable at pure noise.
    n_corrections
        Langevin steps a step, each of one evaluation.

    Raises
    ------
    InvalidInput
        r is not in (0, 1), or n_corrections is no positive integer.
    """

    predictor: Solver[S]
    snr: float = 0.16
    n_corrections: int = 1

    order: ClassVar[int] = 1

    def __post_init__(self) -> None:
        positive(self.snr, "snr")
        if self.snr >= 1:
            raise InvalidInput(f"snr must be below 1, or Langevin diverges: got {self.snr!r}.")
        check_count(self.n_corrections, "n_corrections")

    @property
    def evaluations(self) -> int:
        return self.predictor.evaluations + self.n_corrections

    @property
    def draws(self) -> int:
        return self.predictor.draws + self.n_corrections

    def init(self, x: Tensor) -> S:
        return self.predictor.init(x)

    def __call__(
        self, diffusion: Diffusion, state: S, t: Tensor, t_next: Tensor, z: Tensor | None
    ) -> S:
        noises = drawn(z)[None] if self.draws == 1 else drawn(z)
        own = noises[: self.predictor.draws]
        taken = None if not len(own) else own[0] if len(own) == 1 else own
        after = self.predictor(diffusion, state, t, t_next, taken)
        step_size = 2 * (self.snr * diffusion.scales(t_next)[1]) ** 2
        x, score = after.x, at(diffusion.noisy_score, t_next)
        for noise in noises[self.predictor.draws :]:
            x = langevin_step(x, score, step_size, noise)
        return after._replace(x=x)
