"""The plan of a derivative: what to compute, from the options of a call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from xgrad._arrays import (
    Array,
    common_namespace,
    float_info,
    integer,
    is_lazy,
    leaves,
    one_of,
)
from xgrad._differences.bounds import require_bounds
from xgrad._differences.curvature import SecondDifferences
from xgrad._differences.ladder import Ladder
from xgrad._differences.scheme import ComplexStep, StencilScheme
from xgrad._differences.stencil import (
    ACCURACIES,
    ORDERS,
    Method,
    Stencil,
    rungs_for,
    stencil,
)
from xgrad._evaluation import Execution, Function, bind_function, share_equal

Scheme = StencilScheme | SecondDifferences | Ladder | ComplexStep
METHODS = ("auto", "autodiff", "central", "forward", "backward", "complex", "ladder")


class Setting(NamedTuple):
    """The scheme of a plan in the arithmetic of one function, which the plan keeps.

    ``eps`` is the precision of the coarser of ``x`` and ``f(x)``, and ``estimate`` says
    whether the ``scheme`` bounds its error. It needs the function at the ``offsets``,
    in units of a step that is ``relative_step`` for a component of size 1.
    """

    eps: float
    scheme: Scheme
    estimate: bool
    offsets: tuple[int, ...]
    relative_step: float


def setting_of(scheme: Scheme, eps: float, estimate: bool) -> Setting:
    """Return the setting of a scheme in an arithmetic."""
    offsets, relative = scheme.offsets(estimate), scheme.relative_step(eps)
    return Setting(eps, scheme, estimate, offsets, relative)


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The choice of method, steps, dtype and bounds that says what to compute.

    The public functions repeat these options, with the same types and defaults.
    """

    method: Method = "central"
    """Formula: a stencil, "complex", "ladder", or "auto", which chooses by error."""
    accuracy: int | None = None
    """Power of the step by which the truncation error falls; None: the default."""
    order: int = 1
    """Order of the derivative, 1 to 4."""
    step: Any = None
    """Absolute step, a number or nested as ``x``; None: relative to each entry."""
    dtype: Any = None
    """Floating dtype to evaluate the function in; None: that of ``x``."""
    bounds: Any = None
    """What no point leaves: (low, high), or pairs by name; None: no bounds."""
    axis: Literal[-1] | None = None
    """-1: the rows of ``x`` are independent points of the function."""
    terms: bool = False
    """Whether the function returns terms whose sum is meant."""
    full_output: bool = False
    """Whether to return an `Estimate` beside the derivative."""
    sparse: bool = False
    """Whether a sparsity pattern says which terms depend on which entries."""
    curvature: bool = False
    """Whether a Hessian is taken of a scalar function alone, without its gradient."""

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)
        one_of("order", integer("order", self.order, least=1), ORDERS)
        one_of("axis", self.axis, (None, -1))
        one_of("terms", self.terms, (True, False))
        one_of("full_output", self.full_output, (True, False))
        if self.accuracy is not None:
            integer("accuracy", self.accuracy, least=1)
        for refusal in REFUSED:
            if refusal.applies(self):
                raise ValueError(refusal.why)
        if not _has_fixed_accuracy(self):
            self._stencil()

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether nothing is asked for but a first derivative by a stencil."""
        return (
            self.method in ACCURACIES
            and self.order == 1
            and self.step is self.dtype is self.bounds is self.axis is None
            and not (self.terms or self.full_output)
        )

    @functools.cached_property
    def may_be_exact(self) -> bool:
        """Whether the derivative is exact where `f` allows it.

        Steps, an accuracy and bounds are those of differences, and ask for these.
        """
        asks_for_points = not (self.step is self.accuracy is self.bounds is None)
        return self.method in ("auto", "autodiff") and not asks_for_points

    def as_differences(self, x: Any = None) -> Plan:
        """Return the plan of the differences that "auto" takes: also the ladder's.

        A step or an accuracy are those of one stencil, and lazy arrays have no values
        by which steps could be chosen.
        """
        fixed = self.step is not None or self.accuracy is not None
        if self.method != "auto" or not (fixed or _is_lazy_tree(x)):
            return self
        return replace(self, method="central")

    def setting(self, xp: Any, dtype: Any, base_dtype: Any) -> Setting:
        """Return the setting for ``x`` and ``f(x)`` of some dtypes."""
        setting = self._settings.get((xp, dtype, base_dtype))
        if setting is None:
            eps = max(float_info(xp, each).eps for each in (dtype, base_dtype))
            estimate = self.full_output or self.method == "auto"
            setting = setting_of(self.scheme(eps), eps, estimate)
            self._settings[xp, dtype, base_dtype] = setting
        return setting

    @functools.cached_property
    def _settings(self) -> dict[Any, Setting]:
        return {}

    def scheme(self, eps: float) -> Scheme:
        """Return the scheme for an arithmetic of precision ``eps``.

        For "auto" that is the one to begin with.
        """
        if self.method == "ladder":
            return Ladder(rungs_for(eps), 2 if self.curvature else int(self.order))
        if self.method == "complex":
            return ComplexStep()
        if self.curvature:
            return SecondDifferences(self._stencil().accuracy)
        return self._stencil_scheme

    @functools.cached_property
    def _stencil_scheme(self) -> StencilScheme:
        return StencilScheme(self._stencil())

    def _stencil(self) -> Stencil:
        """Return the stencil; raise where the method does not offer the accuracy."""
        method = "central" if self.method in ("auto", "autodiff") else self.method
        # Integers of Python: 0-d arrays cannot be looked up.
        accuracy = None if self.accuracy is None else int(self.accuracy)
        return stencil(method, accuracy, int(self.order))

    def description(self, kind: str) -> dict[str, Any]:
        """Describe the derivative in values of JSON, for the file of a checkpoint."""
        return {
            "function": kind,
            "method": str(self.method),
            "accuracy": None if self.accuracy is None else int(self.accuracy),
            "axis": None if self.axis is None else int(self.axis),
            "terms": bool(self.terms),
            "sparsity": bool(self.sparse),
            "full_output": bool(self.full_output),
        }

    def refuse_lazy(self, xp: Any, x: Array) -> None:
        """Raise if an array is lazy, where the method has to look at its values."""
        if is_lazy(xp, x):
            raise TypeError(
                f"method={self.method!r} chooses steps by looking at values, which a "
                "lazy array does not have yet: use method='central', or compute the "
                "array first"
            )


def _is_lazy_tree(x: Any) -> bool:
    """Whether the arrays of a tree have no values yet."""
    named = leaves(x)
    kind = getattr(named[0][1], "dtype", None) if named else None
    return kind is not None and is_lazy(common_namespace(x=named[0][1]), named[0][1])


def prepare(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> tuple[Function, list[tuple[str, Array]]]:
    """Bind ``f`` to the arrays of ``x`` as floats; return those arrays as they came."""
    function, named_leaves = bind_function(f, x, plan.dtype, execution)
    if plan.method in ("ladder", "auto"):
        plan.refuse_lazy(function.xp, function.leaves[0])
    if plan.bounds is not None:
        require_bounds(plan.bounds, [name for name, _ in named_leaves])
    return function, named_leaves


# Equal calls share a plan, which takes longer to check than to look up.
plan_for = share_equal(Plan)


class Refusal(NamedTuple):
    """A combination of options that is refused, and the reason."""

    applies: Callable[[Plan], bool]
    why: str


def _has_fixed_accuracy(plan: Plan) -> bool:
    return plan.method in ("ladder", "complex")


def _bends_by_other_method(plan: Plan) -> bool:
    return plan.curvature and plan.method not in ("central", "ladder", "auto")


def _bends_within_bounds(plan: Plan) -> bool:
    return plan.curvature and plan.bounds is not None


def _bends_by_other_accuracy(plan: Plan) -> bool:
    return plan.curvature and plan.accuracy not in (None, 2, 4)


def _sets_fixed_accuracy(plan: Plan) -> bool:
    return _has_fixed_accuracy(plan) and plan.accuracy is not None


def _sets_fixed_step(plan: Plan) -> bool:
    return _has_fixed_accuracy(plan) and plan.step is not None


def _has_high_order_without_stencil(plan: Plan) -> bool:
    return plan.order > 1 and plan.method == "complex"


def _sums_terms_of_rows(plan: Plan) -> bool:
    return plan.terms and plan.axis is not None


def _is_sparse_without_terms(plan: Plan) -> bool:
    return plan.sparse and not plan.terms


def _sets_points_of_exact(plan: Plan) -> bool:
    return plan.method == "autodiff" and not plan.may_be_exact


REFUSED = (
    Refusal(
        _sets_points_of_exact,
        "`accuracy`, `step` and `bounds` belong to differences: method='autodiff' "
        "takes none, so leave them out or name a method of differences",
    ),
    Refusal(
        _bends_by_other_method,
        "a Hessian from `f` alone has the methods 'central', 'ladder' and 'auto': give "
        "the gradient as `grad=` for the others",
    ),
    Refusal(
        _bends_within_bounds,
        "a Hessian from `f` alone needs room on both sides of every component: give "
        "the gradient as `grad=`, or leave `bounds` out",
    ),
    Refusal(
        _bends_by_other_accuracy,
        "`accuracy` of a Hessian from `f` alone must be one of 2, 4",
    ),
    Refusal(
        _sets_fixed_accuracy,
        "`accuracy` belongs to stencils: method='ladder' and method='complex' are as "
        "accurate as they can be, so leave it out",
    ),
    Refusal(
        _sets_fixed_step,
        "`step` belongs to stencils: method='ladder' tries all steps and "
        "method='complex' takes one that is always small enough, so leave it out",
    ),
    Refusal(
        _has_high_order_without_stencil,
        "the complex step takes no derivatives of order 2 and more: use "
        "method='auto', 'autodiff', 'central', 'forward', 'backward' or 'ladder'",
    ),
    Refusal(
        _sums_terms_of_rows,
        "`terms=True` and `axis=-1` exclude each other: the first sums the values "
        "that `f` returns, the second returns one for each row",
    ),
    Refusal(
        _is_sparse_without_terms,
        "`sparsity` says which terms depend on which variables: it needs `terms=True` "
        "and an `f` that returns the terms of a sum",
    ),
)
