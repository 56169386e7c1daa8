"""How far an unmixing matrix is from undoing a mixing, up to order, signs and scales."""

from __future__ import annotations

from torch import Tensor

from scorematching.errors import InvalidInput


def amari_distance(unmixing: Tensor, mixing: Tensor) -> float:
    """The Amari distance between W and A⁻¹, from 0 (equal but for order and scale) to 1.

    With P = |WA| ``(d, d)``,

        [Σᵢ (Σⱼ Pᵢⱼ/maxⱼ Pᵢⱼ − 1) + Σⱼ (Σᵢ Pᵢⱼ/maxᵢ Pᵢⱼ − 1)]/(2d(d − 1)).

    Parameters
    ----------
    unmixing
        W ``(d, d)``, an estimate: ``est.model.unmixing``.
    mixing
        A ``(d, d)``, the truth: x = As.

    Raises
    ------
    InvalidInput
        The matrices are not square of one size d ≥ 2, or WA has a row or column of zeros.

    References
    ----------
    S. Amari, A. Cichocki & H. H. Yang, "A new learning algorithm for blind signal separation",
    NIPS 8 (1996).
    """
    d = unmixing.shape[0]
    if d < 2 or unmixing.shape != (d, d) or mixing.shape != (d, d):
        raise InvalidInput(
            "expected two square matrices of one size, at least 2: got shapes "
            f"{tuple(unmixing.shape)} and {tuple(mixing.shape)}."
        )
    product = (unmixing.double() @ mixing.double()).abs()
    rows, columns = product.amax(1, keepdim=True), product.amax(0, keepdim=True)
    if not bool((rows > 0).all() and (columns > 0).all()):
        raise InvalidInput("W A has a row or column of zeros: a matrix is singular.")
    excess = (product / rows).sum() + (product / columns).sum() - 2 * d
    return excess.item() / (2 * d * (d - 1))
