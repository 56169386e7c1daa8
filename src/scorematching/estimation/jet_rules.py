"""How jets pass through the operations of torch: sums, products, powers, elementary functions.

Each rule is the chain rule of `jet` for one kind of operation. Importing this module registers
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from scorematching.estimation.jet import (
    Function,
    Jet,
    Unsupported,
    elementwise,
    linear,
    multilinear,
    putting_together,
    rule_of,
    selecting,
    values_in,
)
from scorematching.estimation.slopes import Slopes

Arguments = tuple[Any, ...]
Options = dict[str, Any]


def named(*names: str) -> list[Function]:
    """The functions of torch and methods of tensors of these names, separated by spaces."""
    homes = (Tensor, torch, torch.nn.functional, torch.special)
    each = " ".join(names).split()
    return [getattr(home, name) for name in each for home in homes if hasattr(home, name)]


rule_of(
    *named(
        "__getitem__ reshape view view_as reshape_as flatten unflatten unsqueeze squeeze transpose",
        "swapaxes permute movedim moveaxis expand expand_as broadcast_to tile repeat contiguous",
        "clone to double type_as narrow select index_select unbind split chunk tensor_split hsplit",
    ),
    Tensor.T.__get__,  # type: ignore[attr-defined]
    Tensor.mT.__get__,  # type: ignore[attr-defined]
    Tensor.__iter__,
)(selecting)

rule_of(
    *named(
        "sum mean cumsum flip roll repeat_interleave gather take_along_dim diagonal diag_embed",
        "tril triu diff trace",
    )
)(linear)

rule_of(*named("cat concat concatenate stack hstack vstack column_stack"))(putting_together)

rule_of(
    *named(
        "matmul __matmul__ __rmatmul__ mm bmm mv dot inner outer tensordot einsum vdot cross kron"
    )
)(multilinear)


@rule_of(
    *named(
        "detach new_zeros new_ones new_full new_tensor new_empty zeros_like ones_like full_like",
        "empty_like",
    )
)
def constant(func: Function, args: Arguments, kwargs: Options) -> Any:
    """f does not depend on the value of its argument, or is not to be differentiated."""
    return func(*values_in(args), **values_in(kwargs))


@rule_of(*named("sign sgn floor ceil round trunc"))
def steps(func: Function, args: Arguments, kwargs: Options) -> Jet:
    """f varies by steps only: its derivatives are zero."""
    value = func(*values_in(args), **kwargs)
    return Jet(value, args[0].slopes.times(0.0), torch.zeros_like(value))


@rule_of(*named("neg negative __neg__ positive"))
def negative(func: Function, args: Arguments, kwargs: Options) -> Jet:
    """±f."""
    (f,) = args
    return Jet(func(f.value), f.slopes.times(func(1.0 * f.value.new_ones(()))), func(f.generated))


def two(args: Arguments, kwargs: Options) -> tuple[Any, Any]:
    """The two operands.

    Raises
    ------
    Unsupported
        There are options (alpha=, rounding_mode=, out=).
    """
    if len(args) != 2 or kwargs:
        raise Unsupported(f"two operands without options are expected: got {kwargs!r}")
    return args[0], args[1]


@rule_of(*named("add __add__ __radd__"))
def add(func: Function, args: Arguments, kwargs: Options) -> Jet:
    """f + g."""
    f, g = two(args, kwargs)
    if not isinstance(f, Jet):
        f, g = g, f
    if isinstance(g, Jet):
        value = f.value + g.value
        return Jet(value, f.slopes.plus(g.slopes, value.shape), f.generated + g.generated)
    value = f.value + g
    if value.shape == f.value.shape:
        return Jet(value, f.slopes, f.generated)
    ones = torch.ones_like(value)
    return Jet(value, f.slopes.times(ones, value.ndim), f.generated * ones)


@rule_of(*named("sub subtract __sub__"))
def subtract(func: Function, args: Arguments, kwargs: Options) -> Any:
    """f − g."""
    f, g = two(args, kwargs)
    return f + (-g)


@rule_of(*named("rsub __rsub__"))
def reversed_subtract(func: Function, args: Arguments, kwargs: Options) -> Any:
    """g − f."""
    f, g = two(args, kwargs)
    return g + (-f)


@rule_of(*named("mul multiply __mul__ __rmul__"))
def multiply(func: Function, args: Arguments, kwargs: Options) -> Jet:
    """f g, with G(fg) = f Gg + g Gf + 2 Σⱼ ∂ⱼf ∂ⱼg."""
    f, g = two(args, kwargs)
    if not isinstance(f, Jet):
        f, g = g, f
    if not isinstance(g, Jet):
        value = f.value * g
        return Jet(value, f.slopes.times(g, value.ndim), f.generated * g)
    value = f.value * g.value
    df, dg = f.slopes.lifted(value.ndim), g.slopes.lifted(value.ndim)
    slopes = df.times(g.value).plus(dg.times(f.value), value.shape)
    generated = f.generated * g.value + f.value * g.generated + 2 * df.dot(dg)
    return Jet(value, slopes, generated)


@rule_of(*named("div divide true_divide __truediv__ __div__"))
def divide(func: Function, args: Arguments, kwargs: Options) -> Any:
    """f/g."""
    f, g = two(args, kwargs)
    if isinstance(g, Jet):
        return f * g**-1
    return f * (1 / g)


@rule_of(*named("__rdiv__ __rtruediv__ rdiv"))
def reversed_divide(func: Function, args: Arguments, kwargs: Options) -> Any:
    """g/f."""
    f, g = two(args, kwargs)
    return g * f**-1


@rule_of(*named("reciprocal"))
def reciprocal(func: Function, args: Arguments, kwargs: Options) -> Any:
    """1/f."""
    return args[0] ** -1


@rule_of(*named("pow __pow__ square float_power"))
def power(func: Function, args: Arguments, kwargs: Options) -> Any:
    """fᶜ: c f^{c−1} and c(c−1) f^{c−2}, without 0 · ∞ for whole numbers c; cᵍ as exp(g ln c)."""
    f, c = (args[0], 2) if len(args) == 1 else two(args, kwargs)
    if isinstance(c, Jet):
        return (c * (f.log() if isinstance(f, Tensor) else math.log(f))).exp()
    if isinstance(c, Tensor):
        f = f + torch.zeros_like(c)
    elif c == 0:
        return torch.ones_like(f.value)
    elif c == 1:
        return f
    elif c == 2:
        return elementwise(f, f.value.square(), 2 * f.value, 2.0)
    x = f.value
    return elementwise(f, x**c, c * x ** (c - 1), c * (c - 1) * x ** (c - 2))


@rule_of(*named("__rpow__"))
def reversed_power(func: Function, args: Arguments, kwargs: Options) -> Any:
    """cᵍ."""
    g, c = two(args, kwargs)
    return power(func, (c, g), {})


@rule_of(*named("where"))
def where(func: Function, args: Arguments, kwargs: Options) -> Any:
    """f where a condition holds, g elsewhere."""
    if len(args) != 3 or kwargs:
        raise Unsupported("where takes a condition and two values")
    # As a method, f.where(condition, g), the condition comes second.
    f, condition, g = args if func is Tensor.where else (args[1], args[0], args[2])
    condition = values_in(condition)
    value = torch.where(condition, values_in(f), values_in(g))

    def of(part: Any, which: Callable[[Jet], Tensor]) -> Tensor:
        return which(part) if isinstance(part, Jet) else value.new_zeros(())

    def slopes_of(jet: Jet) -> Tensor:
        return jet.slopes.lifted(value.ndim).dense()

    d = (f if isinstance(f, Jet) else g).slopes.d
    slopes = torch.where(condition, of(f, slopes_of), of(g, slopes_of))
    generated = torch.where(
        condition, of(f, lambda jet: jet.generated), of(g, lambda jet: jet.generated)
    )
    return Jet(value, Slopes(d, slopes), generated)


Derivatives = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | float]]

# h'(x) and h''(x), from x and h(x).
ELEMENTARY: dict[str, Derivatives] = {
    "sqrt": lambda x, h: (0.5 / h, -0.25 / (x * h)),
    "rsqrt": lambda x, h: (-0.5 * h / x, 0.75 * h / x**2),
    "exp": lambda x, h: (h, h),
    "expm1": lambda x, h: (h + 1, h + 1),
    "log": lambda x, h: (1 / x, -1 / x**2),
    "log1p": lambda x, h: (1 / (1 + x), -1 / (1 + x) ** 2),
    "sin": lambda x, h: (x.cos(), -h),
    "cos": lambda x, h: (-x.sin(), -h),
    "sinh": lambda x, h: (x.cosh(), h),
    "cosh": lambda x, h: (x.sinh(), h),
    "tanh": lambda x, h: (1 - h**2, -2 * h * (1 - h**2)),
    "sigmoid": lambda x, h: (h * (1 - h), h * (1 - h) * (1 - 2 * h)),
    "expit": lambda x, h: (h * (1 - h), h * (1 - h) * (1 - 2 * h)),
    "logsigmoid": lambda x, h: ((-x).sigmoid(), -x.sigmoid() * (-x).sigmoid()),
    "abs": lambda x, h: (x.sign(), 0.0),
    "__abs__": lambda x, h: (x.sign(), 0.0),
    "lgamma": lambda x, h: (x.digamma(), torch.polygamma(1, x)),
    "gammaln": lambda x, h: (x.digamma(), torch.polygamma(1, x)),
}
DERIVATIVES = {func: rule for name, rule in ELEMENTARY.items() for func in named(name)}


@rule_of(*DERIVATIVES)
def elementary(func: Function, args: Arguments, kwargs: Options) -> Jet:
    """h(f) for an elementary function h."""
    if len(args) != 1 or kwargs:
        raise Unsupported(f"{func.__name__} with options")
    value = func(args[0].value)
    return elementwise(args[0], value, *DERIVATIVES[func](args[0].value, value))


@rule_of(*named("logaddexp"))
def log_add_exp(func: Function, args: Arguments, kwargs: Options) -> Any:
    """ln(eᶠ + eᵍ) = f − ln σ(f − g)."""
    f, g = two(args, kwargs)
    return f - torch.nn.functional.logsigmoid(f - g)


@rule_of(*named("logsumexp softmax log_softmax"))
def by_exponentials(func: Function, args: Arguments, kwargs: Options) -> Any:
    """ln Σ eᶠ, and f less that, and its exponential; the largest f is taken out first."""
    f, dim = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
    known = {key for key, value in kwargs.items() if value not in (None, False)}
    if not isinstance(dim, int) or len(args) > 2 or known - {"dim", "_stacklevel"}:
        raise Unsupported(f"{func.__name__} with options")
    top = f.value.amax(dim, keepdim=True)
    logarithm = (f - top).exp().sum(dim, keepdim=True).log() + top
    if func in LOG_SUM_EXP:
        return logarithm.squeeze(dim)
    result = f - logarithm
    return result.exp() if func in SOFTMAX else result


LOG_SUM_EXP: Iterable[Function] = named("logsumexp")
SOFTMAX: Iterable[Function] = named("softmax")
