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
from torch.utils._pytree import tree_flatten, tree_map

Function = Callable[..., Any]
Rule = Callable[[Function, tuple[Any, ...], dict[str, Any]], Any]


class Unsupported(Exception):
    """An operation that jets cannot be carried through: in place, say."""


class Jet(Tensor):
    """f with ∂_{lⱼ}f ``(d, *shape)`` and Gf, like f.

    A tensor that looks like f to the code it passes through. Not to be kept: `value`, `slopes` and
    `generated` are plain tensors.
    """

    value: Tensor
    slopes: Tensor
    generated: Tensor

    @staticmethod
    def __new__(cls, value: Tensor, slopes: Tensor, generated: Tensor) -> Jet:
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


def jets_in(tree: Any) -> list[Jet]:
    """The jets among nested arguments."""
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Jet)]


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
        args, kwargs = torch.utils._pytree.tree_unflatten(leaves, self.spec)
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
        for j in range(len(opened.jets[0].slopes)):
            tangents = tuple(jet.slopes[j] for jet in opened.jets)
            slope, curvature = torch.func.jvp(along(tangents), values, tangents)[:2]
            slopes.append(slope)
            generated = tree_map(torch.add, generated, curvature)
        stacked = tree_map(lambda *each: torch.stack(each), slopes[0], *slopes[1:])
    except RuntimeError as error:
        raise Unsupported(f"{name} has no forward derivative") from error
    return jet_of(value, stacked, generated)


def linear(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f is linear in its first argument; others only say how."""
    jet = args[0]
    if not isinstance(jet, Jet):
        return func(*values_in(args), **values_in(kwargs))
    rest, options = values_in(args[1:]), values_in(kwargs)
    value = func(jet.value, *rest, **options)
    if not carries(value):
        return value

    def apply(part: Tensor) -> Any:
        return func(part, *rest, **options)

    return jet_of(value, torch.vmap(apply)(jet.slopes), apply(jet.generated))


def joined(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f puts tensors together: each takes its derivatives along, plain ones have none."""
    parts, rest = args[0], args[1:]
    d = len(jets_in(parts)[0].slopes)

    def slopes_of(part: Tensor) -> Tensor:
        return part.slopes if isinstance(part, Jet) else part.new_zeros(()).expand(d, *part.shape)

    def generated_of(part: Tensor) -> Tensor:
        return part.generated if isinstance(part, Jet) else torch.zeros_like(part)

    def apply(*tensors: Tensor) -> Tensor:
        return cast(Tensor, func(tensors, *rest, **kwargs))

    return Jet(
        apply(*values_in(list(parts))),
        torch.vmap(apply)(*map(slopes_of, parts)),
        apply(*map(generated_of, parts)),
    )


def multilinear(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f is linear in each of its tensors: G(uv) = u Gv + v Gu + 2 Σⱼ ∂_{lⱼ}u ∂_{lⱼ}v."""
    opened = Opened(func, args, kwargs)
    jets = opened.jets
    value = opened(*(jet.value for jet in jets))
    slopes, generated = None, None
    for k, jet in enumerate(jets):
        dims = tuple(0 if place == k else None for place in range(len(jets)))
        slope = torch.vmap(opened, dims)(*opened.at(k, jet.slopes))
        curved = opened(*opened.at(k, jet.generated))
        slopes = slope if slopes is None else slopes + slope
        generated = curved if generated is None else generated + curved
        for other in range(k):
            pair = tuple(0 if place in (k, other) else None for place in range(len(jets)))
            parts = list(opened.at(k, jet.slopes))
            parts[other] = jets[other].slopes
            generated = generated + 2 * torch.vmap(opened, pair)(*parts).sum(0)
    return jet_of(value, slopes, generated)


def lifted(slopes: Tensor, ndim: int) -> Tensor:
    """Slopes ``(d, *shape)`` with the rank of the shape raised to ndim for broadcasting."""
    missing = ndim + 1 - slopes.ndim
    return slopes.reshape(slopes.shape[0], *(1,) * missing, *slopes.shape[1:])


def elementwise(jet: Jet, value: Tensor, first: Tensor, second: Tensor | float) -> Jet:
    """h(f) from h, h' and h'' at f."""
    generated = first * jet.generated
    if isinstance(second, Tensor) or second:
        generated = generated + second * jet.slopes.square().sum(0)
    return Jet(value, first * jet.slopes, generated)
