"""Values with the derivatives that a generator needs, carried forward through torch operations.

With directions l₁, …, l_d and a drift m in every row, the generator of a diffusion takes a function
f of the rows to

    Gf = ∂_m f + Σⱼ ∂²_{lⱼ} f.

A `Jet` carries f, all ∂_{lⱼ}f and Gf through each operation by the chain rule of Itô,

    ∂_{lⱼ} h(f) = h'(f) ∂_{lⱼ}f,    G h(f) = h'(f) Gf + h''(f) Σⱼ (∂_{lⱼ}f)²,

so that second derivatives cost one sum a step instead of d nested passes (the forward Laplacian of
Li et al., Nature Machine Intelligence 6, 2024). An operation without a rule of its own is
differentiated in nested forward mode on the spot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from scorematching.estimation.slopes import Slopes, joined, parts_of

Function = Callable[..., Any]
Rule = Callable[[Function, tuple[Any, ...], dict[str, Any]], Any]


class Unsupported(Exception):
    """An operation that jets cannot be carried through: in place, say."""


class Jet(Tensor):
    """f with ∂_{lⱼ}f and Gf, like f.

    A tensor that looks like f to the code it passes through, and is not to be kept: `value` and
    `generated` are plain tensors.
    """

    value: Tensor
    slopes: Slopes
    generated: Tensor

    @staticmethod
    def __new__(cls, value: Tensor, slopes: Slopes, generated: Tensor) -> Jet:
        jet = value.as_subclass(cls)
        jet.value, jet.slopes, jet.generated = value, slopes, generated
        return jet

    @classmethod
    def __torch_function__(
        cls,
        func: Function,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The result of an operation on jets: a jet, or what does not depend on derivatives."""
        return RULES.get(func, by_nested_passes)(func, args, kwargs or {})


RULES: dict[Function, Rule] = {}


def rule_of(*functions: Function) -> Callable[[Rule], Rule]:
    """Register a rule for functions of torch."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, rule))
        return rule

    return register


def values_in(tree: Any) -> Any:
    """Nested arguments with each jet replaced by its value."""
    return tree_map(lambda leaf: leaf.value if isinstance(leaf, Jet) else leaf, tree)


def carries(value: Any) -> bool:
    """Whether a result can have derivatives: a floating tensor, or several."""
    leaves = tree_flatten(value)[0]
    return any(isinstance(leaf, Tensor) and leaf.is_floating_point() for leaf in leaves)


def jet_of(value: Any, slopes: Any, generated: Any) -> Any:
    """A jet, or a tuple of jets where the parts are tuples."""
    if isinstance(value, Tensor):
        return Jet(value, slopes, generated)
    return tuple(jet_of(*each) for each in zip(value, slopes, generated, strict=True))


class Opened:
    """A call whose jets are replaced by other tensors of their shapes, in order."""

    def __init__(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.func = func
        self.leaves, self.spec = tree_flatten((args, kwargs))
        self.places = [k for k, leaf in enumerate(self.leaves) if isinstance(leaf, Jet)]
        self.jets = [cast(Jet, self.leaves[k]) for k in self.places]

    def __call__(self, *parts: Tensor) -> Any:
        """The function of the parts in place of the jets."""
        leaves = list(self.leaves)
        for place, part in zip(self.places, parts, strict=True):
            leaves[place] = part
        args, kwargs = tree_unflatten(leaves, self.spec)
        return self.func(*args, **kwargs)

    def at(self, place: int, part: Tensor) -> tuple[Tensor, ...]:
        """The values of the jets, one replaced."""
        return tuple(part if k == place else jet.value for k, jet in enumerate(self.jets))


def by_nested_passes(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The rule of every function without one: two nested forward passes a direction.

    Raises
    ------
    Unsupported
        The function works in place, or has no forward derivative.
    """
    name = getattr(func, "__name__", "")
    if (name.endswith("_") and not name.endswith("__")) or name == "__setitem__" or "out" in kwargs:
        raise Unsupported(f"{name} works in place")
    opened = Opened(func, args, kwargs)
    values = tuple(jet.value for jet in opened.jets)
    value = opened(*values)
    if not carries(value):
        return value

    def along(tangents: tuple[Tensor, ...]) -> Callable[..., Any]:
        return lambda *parts: torch.func.jvp(opened, parts, tangents)[1]

    try:
        generated = along(tuple(jet.generated for jet in opened.jets))(*values)
        slopes = []
        for tangents in zip(*(jet.slopes.dense() for jet in opened.jets), strict=True):
            slope, curvature = torch.func.jvp(along(tangents), values, tangents)[:2]
            slopes.append(slope)
            generated = tree_map(torch.add, generated, curvature)
        stacked = tree_map(lambda *each: torch.stack(each), slopes[0], *slopes[1:])
    except RuntimeError as error:
        raise Unsupported(f"{name} has no forward derivative") from error
    return jet_of(value, parts_of(opened.jets[0].slopes.d, stacked, None), generated)


def linear(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f is linear in its first argument; others only say how."""
    return _linear(func, args, kwargs, selects=False)


def selecting(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f picks or rearranges entries of its first argument, the same in each row."""
    indices = args[1] if len(args) > 1 and isinstance(args[1], tuple) else args[1:]
    several = sum(isinstance(each, Tensor | list) for each in indices) > 1
    return _linear(func, args, kwargs, selects=not several)


def _linear(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], *, selects: bool) -> Any:
    jet = args[0]
    rest, options = values_in(args[1:]), values_in(kwargs)
    if not isinstance(jet, Jet):
        return func(jet, *rest, **options)
    value = func(jet.value, *rest, **options)
    if not carries(value):
        return value

    def apply(part: Tensor) -> Any:
        return func(part, *rest, **options)

    slopes = jet.slopes.selected(apply, value) if selects else jet.slopes.mapped(apply)
    return jet_of(value, slopes, apply(jet.generated))


def putting_together(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Jet:
    """f puts tensors together: each takes its derivatives along, plain ones have none."""
    parts, rest = list(args[0]), args[1:]

    def apply(*tensors: Tensor) -> Tensor:
        return cast(Tensor, func(tensors, *rest, **kwargs))

    value = apply(*values_in(parts))
    slopes = [part.slopes if isinstance(part, Jet) else part for part in parts]
    generated = [
        part.generated if isinstance(part, Jet) else torch.zeros_like(part) for part in parts
    ]
    return Jet(value, joined(slopes, apply, value), apply(*generated))


def multilinear(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Jet:
    """f is linear in each of its tensors: G(uv) = u Gv + v Gu + 2 Σⱼ ∂_{lⱼ}u ∂_{lⱼ}v."""
    opened = Opened(func, args, kwargs)
    jets, d = opened.jets, opened.jets[0].slopes.d
    dense = [jet.slopes.dense() for jet in jets]
    value = opened(*(jet.value for jet in jets))
    slopes, generated = value.new_zeros(()), value.new_zeros(())
    for k, jet in enumerate(jets):
        dims = tuple(0 if place == k else None for place in range(len(jets)))
        slopes = slopes + torch.vmap(opened, dims)(*opened.at(k, dense[k]))
        generated = generated + opened(*opened.at(k, jet.generated))
        for other in range(k):
            pair = tuple(0 if place in (k, other) else None for place in range(len(jets)))
            parts = list(opened.at(k, dense[k]))
            parts[other] = dense[other]
            generated = generated + 2 * torch.vmap(opened, pair)(*parts).sum(0)
    return Jet(value, Slopes(d, slopes), generated)


def elementwise(jet: Jet, value: Tensor, first: Tensor, second: Tensor | float) -> Jet:
    """h(f) from h, h' and h'' at f."""
    generated = first * jet.generated
    if isinstance(second, Tensor) or second:
        generated = generated + second * jet.slopes.dot(jet.slopes)
    return Jet(value, jet.slopes.times(first), generated)
