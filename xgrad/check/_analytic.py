"""The gradient that is given to a check: called for, and fitted to its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xgrad._arrays import (
    Array,
    as_float,
    cast,
    common_namespace,
    default_dtype,
    float_info,
    from_host,
    is_floating,
    is_lazy,
    leaves,
    rebuild,
    require_array,
    require_same_shape,
    wide_dtype,
)
from xgrad._evaluation import Function


def refuse_without_values(name: str, x: Any) -> None:
    """Raise for arrays that have no values yet, and for functions in their place."""
    if callable(x) and not hasattr(x, "dtype"):
        raise TypeError(
            f"`{name}` is a function: the arguments are the function, its gradient "
            f"or backward pass, and then `{name}`"
        )
    for where, leaf in leaves(x, name):
        require_array(where, leaf)
        if is_lazy(common_namespace(x=leaf), leaf):
            raise TypeError(
                f"`{where}` is a lazy array, but a check looks at values: compute it "
                "first, or check outside of `jax.jit`"
            )


def gradient_for(
    function: Function, grad: Any, names: tuple[str, ...]
) -> tuple[tuple[Array, ...], float]:
    """The gradient by each array, in the widest float, and its precision."""
    xp, tree = function.xp, function.tree
    label = "grad"
    if callable(grad):
        copies = [xp.asarray(x, copy=True) for x in function.leaves]
        grad = grad(copies[0] if tree is None else rebuild(tree, copies))
        label = "grad(x)"
    found = [(label, grad)] if tree is None else leaves(grad, label)
    wanted = [label + name.removeprefix("x") for name in names]
    if [name for name, _ in found] != wanted:
        raise ValueError(
            f"the gradient must be nested as x is, with {', '.join(wanted)}; got "
            f"{', '.join(name for name, _ in found) or 'nothing'}"
        )
    return as_slopes(xp, found, list(zip(names, function.leaves, strict=True)))


def as_slopes(
    xp: Any, given: Sequence[tuple[str, Any]], arrays: Sequence[tuple[str, Array]]
) -> tuple[tuple[Array, ...], float]:
    """Gradients beside their arrays, as wide floats, and the precision they came in."""
    slopes, eps = [], 0.0
    for (name, slope), (x_name, x) in zip(given, arrays, strict=True):
        slope = _as_array(xp, name, slope, x)
        common_namespace(**{name: slope, x_name: x})
        require_same_shape(name, slope, x_name, x)
        floats = as_float(xp, name, slope)
        came = slope if is_floating(xp, slope) else floats
        eps = max(eps, float_info(xp, came.dtype).eps)
        slopes.append(cast(xp, floats, wide_dtype(xp, x)))
    return tuple(slopes), eps


def _as_array(xp: Any, name: str, slope: Any, x: Array) -> Array:
    if slope is None:
        raise TypeError(f"`{name}` is None: is a `return` missing?")
    if isinstance(slope, (int, float)) and x.ndim == 0:
        dtype = default_dtype(xp, "real floating", x)
        return from_host(xp, float(slope), like=x, dtype=dtype)
    require_array(name, slope)
    return slope
