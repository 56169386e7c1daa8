"""Unnormalised densities as a scikit-learn estimator, fitted by score matching."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from scorematching.domains import AnyDomain, Weight
from scorematching.errors import InvalidInput
from scorematching.estimation import Accumulator, Estimate, Sandwich, estimate, held_out_objective
from scorematching.estimators import spelling
from scorematching.families import Family, LinearFamily

Array = NDArray[np.float64]


class ExponentialFamilyDensity(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """An unnormalised density estimated by (generalised) score matching.

    `sm.estimate` for rows ``(n_samples, n_features)`` of NumPy, pandas or polars. `score` is minus
    the matching objective, so that `GridSearchCV` selects by held-out score matching; it compares
    families and ridges on one domain with one weight, and means nothing between domains or weights.

    Parameters
    ----------
    family : str or family, default="gaussian"
        ``"gaussian"``, ``"pairwise(0.5, 0.5)"``, ``"dirichlet"``, … of `spelling.FAMILIES`, made
        with the columns of X; or a member of `sm.families`.
    domain : str or object, default=None
        ``"positive-orthant"``, ``"box(0, 1)"``, … or a member of `sm.domains`. None: where the
        family naturally lives.
    weight : str or callable, default=None
        ``"min(x,3)"``, ``"x^2"``, ``"log(1+x)"``, … for a domain given in words. None: its own.
    fixed, tied : default=None
        Parameters by name, as in `sm.estimate`: ``{"eta[1]": 0.0}``, ``[("K[1,1]", "K[2,2]")]``.
    ridge : float, default=0.0
        λ of ½ λ‖φ‖², added to the objective of a linear family.
    standard_errors : bool, default=False
        Whether `fit` computes sandwich standard errors, which take more rows than parameters.
    random_state : int, RandomState or None, default=None
        Of the starts of families that are not linear in their parameters.

    Attributes
    ----------
    estimate_ : Estimate
        With `summary()`, intervals and tests; without standard errors unless they were asked for.
    theta_ : ndarray of shape (n_parameters,)
    parameter_names_ : list of str
    std_errors_ : ndarray of shape (n_parameters,)
        Sandwich, divisor n − 1; where ``standard_errors=True`` and the fit was by `fit`.
    model_ : density
        The fitted density, of torch tensors.
    normalised_ : bool
        Whether `score_samples` is normalised, or known up to a constant.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has column names.

    Examples
    --------
    >>> import numpy as np, scorematching as sm
    >>> X = np.random.default_rng(0).standard_normal((200, 2))
    >>> density = sm.ExponentialFamilyDensity("gaussian", standard_errors=True).fit(X)
    >>> density.score_samples(X[:2]).shape
    (2,)

    References
    ----------
    A. Hyvärinen, CSDA 51 (2007); S. Yu, M. Drton & A. Shojaie, JMLR 20 (2019).
    """

    def __init__(
        self,
        family: str | LinearFamily | Family = "gaussian",
        *,
        domain: str | AnyDomain | None = None,
        weight: str | Weight | None = None,
        fixed: Mapping[str, float] | None = None,
        tied: Iterable[Sequence[str]] | None = None,
        ridge: float = 0.0,
        standard_errors: bool = False,
        random_state: Any = None,
    ) -> None:
        self.family = family
        self.domain = domain
        self.weight = weight
        self.fixed = fixed
        self.tied = tied
        self.ridge = ridge
        self.standard_errors = standard_errors
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> Self:
        """Estimate from all rows at once; what `partial_fit` saw is forgotten.

        Raises
        ------
        InvalidInput, NotIdentified, NotConverged
            A ValueError but the last: as `sm.estimate`.
        """
        rows = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        family, domain = self._objects(rows.shape[1])
        self._accumulator: Accumulator | None = None
        self._estimate: Estimate | None = estimate(
            family,
            _tensor(rows),
            domain=domain,
            fixed=self.fixed,
            tied=self.tied or (),
            ridge=self.ridge,
            covariance=Sandwich() if self.standard_errors else None,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        return self

    def partial_fit(self, X: Any, y: object = None) -> Self:
        """Add rows to those of earlier calls, without keeping them.

        The estimate is made when it is first asked for. It has no standard errors, which take a
        second pass over the rows, and says so. For families linear in their parameters.

        Raises
        ------
        InvalidInput
            The family is not linear, or as `sm.estimate` for rows.
        """
        so_far: Accumulator | None = getattr(self, "_accumulator", None)
        rows = validate_data(self, X, dtype=np.float64, reset=so_far is None)
        if so_far is None:
            family, domain = self._objects(rows.shape[1])
            so_far = Accumulator.of(
                family,  # type: ignore[arg-type]  # what is not linear is refused there
                domain=domain,
                fixed=self.fixed,
                tied=self.tied or (),
                ridge=self.ridge,
            )
        self._accumulator = so_far.update(_tensor(rows))
        self._estimate = None
        return self

    def score_samples(self, X: Any) -> Array:
        """log p of each row in nats, ``(n_samples,)``; up to a constant unless `normalised_`."""
        rows = self._rows(X)
        return np.asarray(self.model_.log_density(rows).numpy(), dtype=np.float64)

    def score_function(self, X: Any) -> Array:
        """∇ log p at each row, ``(n_samples, n_features)``."""
        rows = self._rows(X)
        return np.asarray(self.model_.score(rows).numpy(), dtype=np.float64)

    def score(self, X: Any, y: object = None) -> float:
        """Minus the mean of ½ s·v + div v over rows; greater is better on one domain and weight."""
        rows = self._rows(X)
        return -held_out_objective(self.estimate_, rows)

    @property
    def estimate_(self) -> Estimate:
        """The estimate."""
        check_is_fitted(self)
        if self._estimate is None:
            assert self._accumulator is not None
            self._estimate = self._accumulator.finalize()
        return self._estimate

    @property
    def theta_(self) -> Array:
        """θ̂."""
        return np.asarray(self.estimate_.theta.numpy())

    @property
    def parameter_names_(self) -> list[str]:
        """The names of θ in its order."""
        return list(self.estimate_.names)

    @property
    def std_errors_(self) -> Array:
        """Sandwich standard errors; InvalidInput where none were asked for, or rows not kept."""
        return np.asarray(self.estimate_.std_errors.numpy())

    @property
    def model_(self) -> Any:
        """The fitted density; InvalidInput where θ̂ lies outside the parameter space."""
        return self.estimate_.model

    @property
    def normalised_(self) -> bool:
        """Whether `score_samples` is normalised."""
        return bool(self.model_.normalised)

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is an estimate, or rows for one."""
        return hasattr(self, "_estimate")

    def _objects(self, d: int) -> tuple[LinearFamily | Family, AnyDomain | None]:
        """The family and domain, made of words where they are such."""
        family: Any = self.family
        if isinstance(family, str):
            family = spelling.family(family, d)
        elif not isinstance(family, LinearFamily | Family):
            raise InvalidInput(
                f"family must be a name, 'gaussian' say, or a member of sm.families: got "
                f"{family!r}."
            )
        weight = spelling.weight(self.weight) if isinstance(self.weight, str) else self.weight
        if isinstance(self.domain, str):
            return family, spelling.domain(self.domain, d, weight)
        if weight is not None:
            raise InvalidInput(
                "weight has no effect without a domain in words, domain='positive-orthant' say; a "
                "domain object carries its own weight."
            )
        return family, self.domain

    def _rows(self, X: Any) -> torch.Tensor:
        check_is_fitted(self)
        return _tensor(validate_data(self, X, dtype=np.float64, reset=False))


def _tensor(rows: Array) -> torch.Tensor:
    """A copy, row by row: the caller's array may be read-only, or lie column by column."""
    return torch.from_numpy(np.array(rows, dtype=np.float64, order="C"))
