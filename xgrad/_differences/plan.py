"""What to compute, from the options of a call; the function and its arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xgrad._arrays import Array, integer, is_lazy, one_of
from xgrad._differences.ladder import Ladder
from xgrad._differences.scheme import ComplexStep, Weighted
from xgrad._differences.stencil import ACCURACIES, ORDERS, Method, rungs, stencil
from xgrad._evaluation import Execution, Function, function_at

Scheme = Weighted | Ladder | ComplexStep
METHODS = ("central", "forward", "backward", "complex", "ladder", "auto")


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
        """Raise where the method has to look at values that a lazy array has not."""
        if self.method in ("ladder", "auto") and is_lazy(xp, x):
            raise TypeError(
                f"method={self.method!r} chooses steps by looking at values, which a "
                "lazy array does not have yet: use method='central', or compute the "
                "array first"
            )


def prepare(
    f: Callable[[Any], Any], x: Any, plan: Plan, execution: Execution
) -> tuple[Function, list[tuple[str, Array]]]:
    """Bind ``f`` to the arrays of ``x`` as floats; return those arrays as they came."""
    function, given = function_at(f, x, plan.dtype, execution)
    plan.refuse_lazy(function.xp, function.leaves[0])
    return function, given


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
