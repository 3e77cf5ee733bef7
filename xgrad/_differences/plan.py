"""What to compute, from the options of a call; the function and its arrays."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgrad._array import (
    Array,
    as_float,
    cast,
    common_namespace,
    default_dtype,
    from_host,
    integer,
    is_floating,
    is_lazy,
    one_of,
    quiet,
    real,
)
from xgrad._checkpoint import Checkpoint, description, opened
from xgrad._execution import Execution
from xgrad._function import Function
from xgrad._ladder import Ladder
from xgrad._schemes import ComplexStep, Weighted
from xgrad._stencil import ACCURACIES, ORDERS, Method, rungs, stencil
from xgrad._tree import leaves, rebuild

Scheme = Weighted | Ladder | ComplexStep
METHODS = ("central", "forward", "backward", "complex", "ladder", "auto")


@dataclass(frozen=True, eq=False)
class Estimate:
    """How right a derivative is, component by component.

    Attributes
    ----------
    error : array
        A bound of the absolute error: at least 95 of 100 true errors lie under it,
        for "central", "forward" and "backward" of functions that are smooth over the
        steps. Infinite where the value is ``nan`` or nothing is known.
    step : array
        Size of the step that the value comes from.
    status : array of int8
        Codes of `xgrad.Status`.
    evaluations : int
        How often the function was evaluated, points of a batch counted one by one.

    The arrays have the shape of the derivative, and its nesting where ``x`` is nested.
    """

    error: Any
    step: Any
    status: Any
    evaluations: int


@dataclass(frozen=True)
class Plan:
    """What to compute: the method, and in what steps, dtype and bounds.

    ``axis``, ``terms`` and ``sparse`` are those of `gradient`; ``curvature`` means a
    Hessian from a function alone.
    """

    method: Method = "central"
    accuracy: int | None = None
    order: int = 1
    step: Any = None
    dtype: Any = None
    bounds: Any = None
    full_output: bool = False
    axis: int | None = None
    terms: bool = False
    sparse: bool = False
    curvature: bool = False

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)
        one_of("order", integer("order", self.order, least=1), ORDERS)
        one_of("axis", self.axis, (None, -1))
        one_of("terms", self.terms, (True, False))
        one_of("full_output", self.full_output, (True, False))
        if self.accuracy is not None:
            integer("accuracy", self.accuracy, least=1)
        for refused, why in REFUSED:
            if refused(self):
                raise ValueError(why)
        self.scheme(1e-16)

    def scheme(self, eps: float) -> Scheme:
        """How to get a derivative from values, in an arithmetic of precision ``eps``.

        For "auto", the one to begin with.
        """
        if self.method == "ladder":
            return Ladder(rungs(eps))
        if self.method == "complex":
            return ComplexStep()
        method = "central" if self.method == "auto" else self.method
        # Integers of Python: 0-d arrays cannot be looked up.
        accuracy = None if self.accuracy is None else int(self.accuracy)
        return Weighted(stencil(method, accuracy, int(self.order)))


def _fixed(plan: Plan) -> bool:
    return plan.method in ("ladder", "complex")


# Every combination of options that is refused, and why.
REFUSED: tuple[tuple[Callable[[Plan], bool], str], ...] = (
    (
        lambda plan: plan.curvature and plan.method != "central",
        "a Hessian from `f` alone has method='central' only: give the gradient as "
        "`grad=` for the others",
    ),
    (
        lambda plan: plan.curvature and plan.bounds is not None,
        "a Hessian from `f` alone needs room on both sides of every component: give "
        "the gradient as `grad=`, or leave `bounds` out",
    ),
    (
        lambda plan: plan.curvature and plan.accuracy not in (2, 4),
        "`accuracy` of a Hessian from `f` alone must be one of 2, 4",
    ),
    (
        lambda plan: _fixed(plan) and plan.accuracy is not None,
        "`accuracy` belongs to stencils: method='ladder' and method='complex' are as "
        "accurate as they can be, so leave it out",
    ),
    (
        lambda plan: _fixed(plan) and plan.step is not None,
        "`step` belongs to stencils: method='ladder' tries all steps and "
        "method='complex' takes one that is always small enough, so leave it out",
    ),
    (
        lambda plan: plan.order > 1 and plan.method not in ACCURACIES,
        "derivatives of order 2 and more need method='central', 'forward' or "
        "'backward'",
    ),
    (
        lambda plan: plan.terms and plan.axis is not None,
        "`terms=True` and `axis=-1` exclude each other: the first sums what `f` "
        "returns, the second keeps a number for each row",
    ),
    (
        lambda plan: plan.sparse and not plan.terms,
        "`sparsity` says which terms depend on which variables: it needs `terms=True` "
        "and an `f` that returns the terms of a sum",
    ),
)


# The function and its arrays


def prepare(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> tuple[Function, list[tuple[str, Array]]]:
    """The function at the arrays of ``x`` as floats, and those arrays as they came."""
    if not callable(f):
        raise TypeError(f"`f` must be callable; got {type(f).__name__}")
    nested = isinstance(x, (dict, list, tuple))
    given = leaves(x) if nested else [("x", x)]
    if not given:
        raise ValueError("`x` holds no array: there is nothing to differentiate by")
    xp = common_namespace(**dict(given))
    floats = [as_float(xp, name, leaf) for name, leaf in given]
    if plan.dtype is not None:
        dtype = floating_dtype(xp, plan.dtype)
        with quiet():
            floats = [as_float(xp, "x", cast(xp, leaf, dtype)) for leaf in floats]
    if plan.method in ("ladder", "auto") and is_lazy(xp, floats[0]):
        raise TypeError(
            f"method={plan.method!r} chooses steps by looking at values, which a lazy "
            "array does not have yet: use method='central', or compute the array first"
        )
    skeleton = rebuild(x, [None] * len(given)) if nested else None
    return Function(f, xp, skeleton, tuple(floats), execution.mode), given


def kept(
    kind: str,
    execution: Execution,
    function: Function,
    names: Sequence[str],
    plan: Plan,
) -> contextlib.AbstractContextManager[Checkpoint] | None:
    """The checkpoint of a call, to be opened; None if none is asked for."""
    if execution.checkpoint is None:
        return None
    about = description(kind, function, names, plan, execution.vectorized)
    return opened(execution.checkpoint, about, function)


def floating_dtype(xp: Any, dtype: Any) -> Any:
    """A floating dtype of the namespace, given as such or by its name."""
    found = getattr(xp, dtype, dtype) if isinstance(dtype, str) else dtype
    try:
        floating = bool(xp.isdtype(found, "real floating"))
    except (TypeError, ValueError, AttributeError):
        floating = False
    if not floating:
        raise TypeError(
            f"`dtype` must be a real floating dtype such as `xp.float64`; got {dtype!r}"
        )
    return found


def result_dtype(xp: Any, given: Array, asked: Any) -> Any:
    """The dtype asked for, or that of what was given, or the default float."""
    if asked is not None:
        return floating_dtype(xp, asked)
    if is_floating(xp, given):
        return given.dtype
    return default_dtype(xp, "real floating", given)


def as_array(x: Any) -> Any:
    """A Python number as a 0-d array of NumPy; everything else as it is."""
    if isinstance(x, int | float) and not isinstance(x, bool | np.generic):
        return np.asarray(real("x", x))
    return x


HINTS = {"bounds": "; as (low, high) for all entries, not as a pair for each"}


def beside(xp: Any, option: str, value: Any, name: str, x: Array) -> Array:
    """An option given as a number or in the structure of ``x``, for one of its arrays.

    ``name`` is how the caller would write the array.
    """
    if isinstance(value, bool):
        raise TypeError(f"`{option}` must be a number or an array; got {value!r}")
    if isinstance(value, numbers.Real):
        return from_host(xp, real(option, value), like=x, dtype=x.dtype)
    found = value
    if getattr(value, "ndim", None) != 0:
        found = dict(leaves(value)).get(name)
    if found is None:
        raise ValueError(
            f"`{option}` has no entry for {name}: give a number, or arrays nested as "
            "x is" + HINTS.get(option, "")
        )
    if isinstance(found, numbers.Real):
        return from_host(xp, real(option, found), like=x, dtype=x.dtype)
    common_namespace(**{option: found, "x": x})
    if tuple(found.shape) not in ((), tuple(x.shape)):
        raise ValueError(
            f"`{option}` has shape {tuple(found.shape)}, but {name} has shape "
            f"{tuple(x.shape)}: give a number, or one for each entry"
        )
    return cast(xp, as_float(xp, option, found), x.dtype)
