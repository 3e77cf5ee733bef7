"""The analytic gradient, which the caller gives: called for, checked and promoted."""

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
    matching_leaves,
    rebuild,
    require_array,
    require_same_shape,
    wide_dtype,
)
from xgrad._evaluation import Function


def refuse_without_values(name: str, x: Any) -> None:
    """Raise an error for arrays without values, and for functions in their place."""
    if callable(x) and not hasattr(x, "dtype"):
        raise TypeError(
            f"`{name}` is a function: pass the function, then its gradient or backward "
            f"pass, and then `{name}`"
        )
    for leaf_name, leaf in leaves(x, name):
        require_array(leaf_name, leaf)
        if is_lazy(common_namespace(x=leaf), leaf):
            raise TypeError(
                f"`{leaf_name}` is a lazy array, but a check needs values: compute it "
                "first, or check outside of `jax.jit`"
            )


def called_at_x(function: Function, given: Any, label: str) -> tuple[Any, str]:
    """Return a derivative from the caller, called with x if it can be, and its name."""
    if not callable(given):
        return given, label
    xp, tree = function.xp, function.tree
    copies = [xp.asarray(x, copy=True) for x in function.leaves]
    return given(copies[0] if tree is None else rebuild(tree, copies)), f"{label}(x)"


def precision_of_given(xp: Any, given: Array, floats: Array) -> float:
    """Return the precision of an array from the caller, which became ``floats``.

    `as_float` widens half precision, in which it was computed.
    """
    return float_info(xp, (given if is_floating(xp, given) else floats).dtype).eps


def analytic_gradient(
    function: Function, grad: Any, names: tuple[str, ...]
) -> tuple[tuple[Array, ...], float]:
    """Return the analytic gradient, one array of widest floats for each of x.

    The second value is the precision of its dtype. ``grad`` is called if it can be.
    """
    tree = function.tree
    grad, label = called_at_x(function, grad, "grad")
    if isinstance(grad, tuple) and not isinstance(tree, tuple):
        raise TypeError(
            f"`{label}` is a tuple of {len(grad)}, but must be the gradient alone: if "
            "it is (value, gradient), pass for example `lambda x: grad(x)[1]`"
        )
    gradients = [(label, grad)]
    if tree is not None:
        gradients = matching_leaves(grad, label, names, "the gradient")
    arrays = list(zip(names, function.leaves, strict=True))
    return promote_gradients(function.xp, gradients, arrays)


def promote_gradients(
    xp: Any, gradients: Sequence[tuple[str, Any]], arrays: Sequence[tuple[str, Array]]
) -> tuple[tuple[Array, ...], float]:
    """Check named gradients against their named arrays, and promote them.

    Return arrays of the widest floats of their devices, and the precision of the
    coarsest gradient.
    """
    promoted, coarsest = [], 0.0
    for (name, gradient), (x_name, x) in zip(gradients, arrays, strict=True):
        gradient = _as_array(xp, name, gradient, x)
        common_namespace(**{name: gradient, x_name: x})
        require_same_shape(x_name, x, name, gradient)
        floats = as_float(xp, name, gradient)
        coarsest = max(coarsest, precision_of_given(xp, gradient, floats))
        promoted.append(cast(xp, floats, wide_dtype(xp, x)))
    return tuple(promoted), coarsest


def _as_array(xp: Any, name: str, gradient: Any, x: Array) -> Array:
    if gradient is None:
        raise TypeError(f"`{name}` is None: is a `return` missing?")
    # Gradients of functions of one number are often written with Python numbers.
    if isinstance(gradient, (int, float)) and x.ndim == 0:
        dtype = default_dtype(xp, "real floating", x)
        return from_host(xp, float(gradient), like=x, dtype=dtype)
    require_array(name, gradient)
    return gradient
