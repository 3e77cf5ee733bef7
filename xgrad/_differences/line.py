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
    is_on_host,
    leaves,
    matching_leaves,
    quiet,
    rebuild,
    require_array,
    require_same_shape,
)
from xgrad._differences.direct import direct_slopes
from xgrad._differences.engine import Problem
from xgrad._differences.plan import Plan
from xgrad._differences.readout import EachOutput
from xgrad._differences.result import Result, Status
from xgrad._differences.sizes import floored_size, own_size
from xgrad._differences.stencil import stencil
from xgrad._evaluation import (
    Execution,
    Function,
    entry_columns,
    open_evaluator,
    single_column,
)

# Roundings of f(x) in a second difference, which is made of 16 values by weights up to
# 4/3; the rest allows for what `f` adds of its own.
ROUNDINGS = 256


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
            return self.call(point_of_t)

        def point(x: Array, direction: Array | None) -> Array:
            if direction is None:
                if self.batched:
                    x = xp.broadcast_to(x, (t.shape[0], *x.shape))
                return xp.asarray(x, copy=True)
            distance = xp.reshape(t, (-1, *(1,) * x.ndim)) if self.batched else t
            if not is_complex(xp, t):
                distance = cast(xp, distance, x.dtype)
            return x + distance * direction

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
            xp.min(xp.where(v == 0, math.inf, size(xp, leaf) / xp.abs(v)))
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


def directional_derivative(
    function: Function, v: Any, plan: Plan, execution: Execution, original: Array
) -> tuple[Result, int, str]:
    """Differentiate along a direction: in the shape of ``f(x)``.

    Return the evaluations and the method, too. ``original``, the array as the caller
    passed it, leads to the dtype.
    """
    xp, x = function.xp, function.leaves[0]
    call, length = line_along(function, v, own=plan.method == "ladder")
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


def slopes_along(problem: Problem, v: Any) -> list[Result]:
    """Differentiate the gradient of a scalar along ``v``, nested as ``x``: ``H v``.

    Both differences have accuracy 4, with the steps of a second derivative: the
    gradients are taken at four points of the line, which all have the steps of ``x``.
    """
    xp, function = problem.xp, problem.function
    line, length = line_along(function, v, own=False)
    relative = stencil("central", 4, 2).relative_step(
        float_info(xp, function.leaves[0].dtype).eps
    )
    outer = stencil("central", 4)
    vectors = [vector for vector in line.direction if vector is not None]
    with quiet():
        sizes = [floored_size(xp, x) * relative for x in function.leaves]
    gradients = {}
    for offset in outer.offsets:
        with quiet():
            moves = [offset * relative * vector for vector in vectors]
            leaves = map(operator.add, function.leaves, moves)
        gradients[offset] = _gradient_at(problem, tuple(leaves), sizes)
    results, base = [], xp.abs(problem.at_base())
    with quiet():
        for i, (x, size) in enumerate(zip(function.leaves, sizes, strict=True)):
            slopes = [gradients[offset][i] for offset in outer.offsets]
            distance = cast(xp, relative * length, x.dtype)
            near, far = (
                (gradients[n][i].value - gradients[-n][i].value) / (2 * n * distance)
                for n in (1, 2)
            )
            value = near + (near - far) / 3
            status = _worst(xp, slopes)
            if status is None and is_on_host(xp, value):
                steps = xp.reshape(size, value.shape)
                values = cast(xp, base, x.dtype) + xp.abs(slopes[0].value) * steps
                noise = ROUNDINGS * float_info(xp, x.dtype).eps * values
                status = _contradictions(xp, near, far, noise / (steps * distance))
            results.append(Result(value, status=status))
    return results


def _contradictions(xp: Any, near: Array, far: Array, noise: Array) -> Array | None:
    """Return the status of second differences at a step and at its double.

    At a corner of the slope that at half the step is larger, often twice as large. In
    single precision the other one may be larger by truncation alone, as steps are long.
    Those that are small beside others may be made of rounding.
    """
    near, far, gap = xp.abs(near), xp.abs(far), xp.abs(near - far)
    if not bool(xp.any(gap > noise)):
        return None
    is_corner = far < 0.75 * near
    size = xp.maximum(near, far)
    is_open = is_corner if float_info(xp, near.dtype).size < 8 else size > 0
    is_open = is_open & (gap > noise) & (gap > size / 4) & (gap > xp.max(size) / 100)
    status = xp.where(is_corner, int(Status.KINK), int(Status.UNRESOLVED))
    return xp.astype(xp.where(is_open, status, 0), xp.int8)


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
