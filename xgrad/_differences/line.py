"""Derivatives along a direction: a function on a line, and its derivative there."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xgrad._arrays import (
    Array,
    Portable,
    as_float,
    at_perturbed_points,
    cast,
    common_namespace,
    float_info,
    from_host,
    is_complex,
    laid_out_like,
    leaves,
    matching_leaves,
    quiet,
    rebuild,
    require_array,
    require_same_shape,
    reshaped,
)
from xgrad._differences.direct import direct_slopes
from xgrad._differences.doubt import doubted, may_doubt
from xgrad._differences.engine import Problem
from xgrad._differences.ladder import Ladder
from xgrad._differences.plan import Plan
from xgrad._differences.readout import EachOutput
from xgrad._differences.result import Result
from xgrad._differences.sizes import floored_size, own_size
from xgrad._differences.stencil import Stencil, few_rungs, stencil
from xgrad._evaluation import (
    Execution,
    Function,
    entry_columns,
    open_evaluator,
    single_column,
)

# Where the second derivative along a line is open, so are entries of the product that
# changed with the accuracy by at least this part of the largest change: at a corner all
# change by a seventh of their error, and beside it by nothing.
CHANGED = 1e-2


@dataclass(frozen=True, eq=False)
class Line(Portable):
    """A function of a number ``t``: ``call`` at ``x + t * direction``.

    Arrays whose direction is None stay where they are. With ``batched``, ``t`` has an
    axis of points, and so have the arrays that ``call`` gets.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    x: tuple[Array, ...]
    direction: tuple[Array | None, ...]
    batched: bool

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this is unpickled."""
        return self.x[0]

    def __call__(self, t: Array) -> Any:
        """Evaluate ``call`` at ``t``."""
        xp = self.xp
        x, direction = self.x[0], self.direction[0]
        is_single = self.tree is None and not self.batched
        if is_single and direction is not None and t.dtype == x.dtype:
            with quiet():  # the usual case
                point_of_t = x + t * direction
            return self.call(laid_out_like(point_of_t, x))

        def point(x: Array, direction: Array | None) -> Array:
            if direction is None:
                if self.batched:
                    x = xp.broadcast_to(x, (t.shape[0], *x.shape))
                return xp.asarray(x, copy=True)
            distance = xp.reshape(t, (-1, *(1,) * x.ndim)) if self.batched else t
            if not is_complex(xp, t):
                distance = cast(xp, distance, x.dtype)
            return laid_out_like(x + distance * direction, x)

        with quiet():
            points = list(map(point, self.x, self.direction))
        return self.call(rebuild(self.tree, points))


def line_along(f: Function, direction: Any, own: bool) -> tuple[Line, Array]:
    """Return ``f(x + t * length * direction)`` as a function of ``t``, and ``length``.

    At ``t = 1`` no component moves by more than its size, so that steps which suit a
    number near 1 suit ``t``. ``direction`` is nested as ``x`` is. With ``own``, small
    components count by their own size, else those below 1 count as 1.
    """
    xp, vectors = f.xp, vectors_like(f, direction)
    length = _length(xp, f.leaves, vectors, own_size if own else floored_size)
    with quiet():
        scaled = tuple(cast(xp, length, v.dtype) * v for v in vectors)
    return Line(f.call, xp, f.tree, f.leaves, scaled, f.batched), length


def vectors_like(f: Function, direction: Any) -> list[Array]:
    """Return the arrays of a direction, which is nested as ``x``, in its dtypes."""
    xp = f.xp
    if f.tree is None:
        require_array("v", direction, f.leaves)
    names = [name for name, _ in leaves(f.tree, "x")]
    directions = matching_leaves(direction, "v", names, "`v`")
    vectors = []
    for (name, vector), x in zip(directions, f.leaves, strict=True):
        require_array(name, vector)
        common_namespace(**{name: vector, "x": x})
        require_same_shape(name.replace("v", "x", 1), x, name, vector)
        vectors.append(cast(xp, as_float(xp, name, vector), x.dtype))
    return vectors


def _length(
    xp: Any,
    x: tuple[Array, ...],
    vectors: list[Array],
    size: Callable[[Any, Array], Array],
) -> Array:
    """Return the largest power of 2 by which no component moves more than its size."""
    with quiet():
        reach = [
            # (A division by 0 would warn where it is computed later, without `quiet`.)
            xp.min(xp.where(v == 0, math.inf, size(xp, leaf) / _or_one(xp, v)))
            for leaf, v in zip(x, vectors, strict=True)
            if math.prod(leaf.shape)
        ]
        if not reach:
            return from_host(xp, 1.0, like=x[0], dtype=x[0].dtype)
        least = reach[0]
        if len(reach) > 1:
            least = xp.min(xp.stack([cast(xp, r, least.dtype) for r in reach]))
        # A power of two, so that multiplying and dividing by it is exact.
        length = 2.0 ** xp.floor(xp.log2(least))
        return xp.where(xp.isfinite(length) & (length > 0), length, 1.0)


def _or_one(xp: Any, v: Array) -> Array:
    return xp.where(v == 0, 1.0, xp.abs(v))


def directional_derivative(
    function: Function, v: Any, plan: Plan, execution: Execution, original: Array
) -> tuple[Result, int, str]:
    """Differentiate along a direction: in the shape of ``f(x)``.

    Return the evaluations and the method, too. ``original``, the array as the caller
    passed it, leads to the dtype.
    """
    xp, x = function.xp, function.leaves[0]
    call, length = line_along(function, v, own=plan.method in ("ladder", "complex"))
    start = from_host(xp, 0.0, like=x, dtype=x.dtype)
    path = Function(call, xp, None, (start,), function.vectorized)
    with open_evaluator(execution, x) as evaluator:
        problem = Problem(path, ("t",), plan, evaluator)
        base = problem.at_base()
        readout = functools.partial(EachOutput, base)
        result = problem.differentiate(0, base, single_column, readout)
    with quiet():
        scaled = replace(result, value=result.value / length)
        if plan.full_output:
            error, step = result.error / length, result.step * length
            scaled = replace(scaled, error=error, step=step)
    finished = problem.finish(original, scaled, tuple(base.shape))
    return finished, evaluator.meter.done, problem.method


def slopes_along(problem: Problem, base: Array, v: Any) -> list[Result]:
    """Differentiate the gradient of a scalar along ``v``, nested as ``x``: ``H v``.

    Both differences have accuracy 4, with the steps of a second derivative: the
    gradients are taken at four points of the line, which all have the steps of ``x``.
    The product is open where the second derivative along ``v`` is another one, or does
    not exist; ``base`` is ``f(x)``.
    """
    xp, function = problem.xp, problem.function
    line, length = line_along(function, v, own=False)
    eps = float_info(xp, function.leaves[0].dtype).eps
    relative = stencil("central", 4, 2).relative_step(eps)
    outer, lower = stencil("central", 4), stencil("central", 2)
    vectors = [vector for vector in line.direction if vector is not None]
    with quiet():
        sizes = [floored_size(xp, x) * relative for x in function.leaves]
    gradients = {}
    for offset in outer.offsets:
        with quiet():
            moves = [offset * relative * vector for vector in vectors]
            leaves = map(operator.add, function.leaves, moves)
        gradients[offset] = _gradient_at(problem, tuple(leaves), sizes)
    results, errors = [], []
    with quiet():
        distance = relative * length
        for i, x in enumerate(function.leaves):
            slopes = {offset: results[i] for offset, results in gradients.items()}
            value, less = (
                _weighted(weights, slopes) / cast(xp, distance, x.dtype)
                for weights in (outer, lower)
            )
            results.append(Result(value, status=_worst(xp, list(slopes.values()))))
            errors.append(xp.abs(value - less))
    if not may_doubt(xp, function.leaves[0]):
        return results
    noise = _rounding_of_x(xp, function.leaves, gradients[1], eps)
    along = _curvature_along(problem, line, base, eps, noise)
    vectors = [reshaped(xp, v, (-1,)) * length for v in vectors]
    return _with_doubts(xp, results, errors, vectors, along)


def _rounding_of_x(
    xp: Any, leaves: tuple[Array, ...], slopes: list[Result], eps: float
) -> Array:
    """Return the error of f(x) if each entry of ``x`` is rounded by itself."""
    with quiet():
        squares = [
            xp.sum((reshaped(xp, x, (-1,)) * slope.value) ** 2)
            for x, slope in zip(leaves, slopes, strict=True)
        ]
        return eps / 2 * xp.sqrt(functools.reduce(operator.add, squares))


def _curvature_along(
    problem: Problem, line: Line, base: Array, eps: float, noise: Array
) -> Result:
    """Return the second derivative along a line, by a few rungs of a ladder."""
    xp, like = problem.xp, line.x[0]
    start = from_host(xp, 0.0, like=like, dtype=like.dtype)
    path = Function(line, xp, None, (start,), problem.function.vectorized)
    problem = Problem(path, ("t",), problem.plan, problem.evaluator)
    ladder = Ladder(few_rungs(eps), 2)
    with quiet():
        points = problem.placements[0].points(
            ladder, eps, True, single_column(xp, start)
        )
        readout = EachOutput(base, eps, noise)
        return problem.one_pass(path, 0, base, ladder, points, readout, True)


def _weighted(stencil: Stencil, slopes: dict[int, Result]) -> Array:
    """Return the derivative of slopes along a line, for a step of 1."""
    terms = [
        weight * (slopes[offset].value - slopes[-offset].value)
        for offset, weight in stencil.rounded_weights
        if offset > 0
    ]
    return functools.reduce(operator.add, terms)


def _with_doubts(
    xp: Any,
    products: list[Result],
    errors: list[Array],
    vectors: list[Array],
    along: Result,
) -> list[Result]:
    """Mark products whose component along their vectors is not that of ``along``."""
    with quiet():
        value, error = (
            functools.reduce(
                operator.add,
                [xp.sum(v * g) for v, g in zip(factors, terms, strict=True)],
            )
            for factors, terms in (
                (vectors, [product.value for product in products]),
                (list(map(xp.abs, vectors)), errors),
            )
        )
        product = Result(value, error, None, xp.zeros_like(value, dtype=xp.int8))
        status = doubted(xp, product, along.map(lambda a: a[0, ...])).status
        if not int(status):
            return products
        least = CHANGED * max(float(xp.max(e)) for e in errors if math.prod(e.shape))
        return [
            replace(
                product,
                status=xp.maximum(
                    product.with_status().status,
                    xp.astype(error >= least, xp.int8) * status,
                ),
            )
            for product, error in zip(products, errors, strict=True)
        ]


def _gradient_at(
    problem: Problem, leaves: tuple[Array, ...], steps: list[Array]
) -> list[Result]:
    """Differentiate a scalar by all leaves, at arrays not chosen by the caller."""
    function, evaluator = problem.function.at_leaves(leaves), problem.evaluator
    plan, execution = problem.plan, evaluator.execution
    problem = Problem(function, problem.names, plan, evaluator)
    with at_perturbed_points():
        base = problem.at_base()
        is_one = type(leaves[0]) is np.ndarray and function.tree is None
        if is_one and execution.is_plain and base.dtype == leaves[0].dtype:
            slopes = direct_slopes(function, base, plan, execution, steps[0])
            if slopes is not None:
                return [Result(slopes)]
    nested = steps[0] if function.tree is None else rebuild(function.tree, steps)
    plan = replace(plan, step=nested)
    problem = Problem(function, problem.names, plan, evaluator)
    readout = functools.partial(EachOutput, base)
    return [
        problem.differentiate(i, base, entry_columns, readout)
        for i in range(len(leaves))
    ]


def _worst(xp: Any, results: list[Result]) -> Array | None:
    """Return the largest status of each component; None if all results are OK."""
    if all(result.status is None for result in results):
        return None
    return functools.reduce(xp.maximum, [r.with_status().status for r in results])
