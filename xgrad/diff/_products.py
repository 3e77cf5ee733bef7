"""Products of a Jacobian or a Hessian with a vector, without the matrix."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Unpack, overload

from xgrad._array import (
    Array,
    ArrayT,
    Portable,
    as_float,
    cast,
    common_namespace,
    float_info,
    from_host,
    is_complex,
    quiet,
    require_array,
    require_same_shape,
)
from xgrad._engine import Run
from xgrad._evaluate import runner
from xgrad._execution import Execution, Progress, Vectorized, Workers
from xgrad._function import Function, elsewhere
from xgrad._gradient import require_scalar
from xgrad._options import Shared
from xgrad._plan import Estimate, Plan, prepare, result_dtype
from xgrad._points import entries, everything, floored_size, own_size
from xgrad._readout import Whole
from xgrad._schemes import Parts
from xgrad._stencil import Method, stencil
from xgrad._tree import leaves, rebuild


@dataclass(frozen=True)
class Line(Portable):
    """A function of a number ``t``: what ``call`` gives at ``x + t * direction``.

    Arrays whose direction is None stay where they are. With ``batched``, ``t`` has an
    axis of points, and so has what ``call`` gets.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    x: tuple[Array, ...]
    direction: tuple[Array | None, ...]
    batched: bool

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.x[0]

    def __call__(self, t: Array) -> Any:
        """The value of ``call`` there."""
        xp = self.xp

        def moved(x: Array, direction: Array | None) -> Array:
            if direction is None:
                if self.batched:
                    x = xp.broadcast_to(x, (t.shape[0], *x.shape))
                return xp.asarray(x, copy=True)
            along = xp.reshape(t, (-1, *(1,) * x.ndim)) if self.batched else t
            if not is_complex(xp, t):
                along = cast(xp, along, x.dtype)
            return x + along * direction

        with quiet():
            points = list(map(moved, self.x, self.direction))
        return self.call(rebuild(self.tree, points))


def line(f: Function, direction: Any, own: bool) -> tuple[Line, Array]:
    """The function along a direction in steps that suit ``x``, and their length.

    ``direction`` is nested as ``x`` is. With ``own``, steps are as small as the
    smallest component asks for, else those near 0 count as 1.
    """
    xp = f.xp
    given = dict(leaves(direction, "v"))
    names = [name for name, _ in leaves(f.tree, "v")]
    if given.keys() != set(names):
        raise ValueError(
            f"`v` must be nested as x is, with {', '.join(names)}; got "
            f"{', '.join(given) or 'nothing'}"
        )
    vectors = []
    for name, x in zip(names, f.leaves, strict=True):
        vector = given[name]
        require_array(name, vector)
        common_namespace(**{name: vector, "x": x})
        require_same_shape(name, vector, name.replace("v", "x", 1), x)
        vectors.append(cast(xp, as_float(xp, name, vector), x.dtype))
    length = _length(xp, f.leaves, vectors, own_size if own else floored_size)
    with quiet():
        scaled = tuple(cast(xp, length, v.dtype) * v for v in vectors)
    return Line(f.call, xp, f.tree, f.leaves, scaled, f.batched), length


def _length(
    xp: Any,
    x: tuple[Array, ...],
    vectors: list[Array],
    size: Callable[[Any, Array], Array],
) -> Array:
    """How far to go so that no component moves by more than its size: a power of 2."""
    with quiet():
        reach = [
            xp.min(xp.where(v == 0, math.inf, size(xp, leaf) / xp.abs(v)))
            for leaf, v in zip(x, vectors, strict=True)
            if math.prod(leaf.shape)
        ]
        if not reach:
            return from_host(xp, 1.0, like=x[0], dtype=x[0].dtype)
        least = xp.min(xp.stack([cast(xp, r, reach[0].dtype) for r in reach]))
        length = 2.0 ** xp.floor(xp.log2(least))
        return xp.where(xp.isfinite(length) & (length > 0), length, 1.0)


@overload
def jvp(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    /,
    *,
    full_output: Literal[True],
    **options: Unpack[Shared],
) -> tuple[Any, Estimate]: ...
@overload
def jvp(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    /,
    *,
    full_output: Literal[False] = False,
    **options: Unpack[Shared],
) -> Any: ...
@overload
def jvp(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    /,
    *,
    full_output: bool,
    **options: Unpack[Shared],
) -> Any: ...
def jvp(
    f: Callable[[Any], Any],
    x: Any,
    v: Any,
    /,
    *,
    method: Method = "central",
    accuracy: int | None = None,
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: bool = False,
) -> Any:
    """Numerical Jacobian-vector product: the derivative of ``f`` along ``v``.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to differentiate.
    v : array like ``x``, nested as ``x`` is
        The direction.
    method, accuracy, dtype, vectorized, max_bytes, workers, progress, full_output
        As in `gradient`. Along ``v`` all components move at once, the step being set
        by the one that moves most for its size.

    Returns
    -------
    array
        ``J v``, in the shape of ``f(x)``; with ``full_output=True`` also an `Estimate`.

    Raises
    ------
    TypeError
        If ``x``, ``v`` or the result of ``f`` is no array of real numbers.
    ValueError
        If ``v`` has not the structure and shapes of ``x``, or an option is not offered.

    Notes
    -----
    Costs ``accuracy`` evaluations and one at ``x``, whatever the sizes. Sources as in
    `gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> jvp(lambda x: x**2, np.array([3.0, 4.0]), np.array([1.0, 0.5]))
    array([6., 4.])
    """
    plan = Plan(method, accuracy, 1, None, dtype, None, full_output)
    execution = Execution(vectorized, max_bytes, workers, progress)
    function, given = prepare(f, x, plan, execution)
    parts, evaluations = along(function, v, plan, execution, given[0][1])
    value = parts.value
    if not full_output:
        return value
    return value, Estimate(parts.error, parts.step, parts.status, evaluations)


def along(
    function: Function, v: Any, plan: Plan, execution: Execution, given: Array
) -> tuple[Parts, int]:
    """Derivative along a direction, in the shape of ``f(x)``, and its evaluations.

    In the dtype that ``given`` leads to.
    """
    xp, x = function.xp, function.leaves[0]
    call, length = line(function, v, own=plan.method == "ladder")
    start = from_host(xp, 0.0, like=x, dtype=x.dtype)
    path = Function(call, xp, None, (start,), function.mode)
    with runner(execution, x) as run_by:
        run = Run(path, ("t",), plan, run_by)
        base = run.at_base()
        parts = run.parts(0, base, everything, functools.partial(Whole, base))
    with quiet():
        scaled = replace(parts, value=parts.value / length)
        if plan.full_output:
            scaled = replace(
                scaled, error=parts.error / length, step=parts.step * length
            )
    return run.finish(given, scaled, tuple(base.shape)), run_by.meter.done


@dataclass(frozen=True)
class _Directional:
    """The derivative of a function along a direction, as a function of where."""

    function: Function
    direction: tuple[Array, ...]
    step: float

    def __call__(self, x: Any) -> Array:
        """Differences of accuracy 4, in units of the direction."""
        values = {}
        scheme = stencil("central", 4)
        with elsewhere():
            for offset in scheme.offsets:
                move = offset * self.step
                points = [
                    leaf + move * direction
                    for (_, leaf), direction in zip(
                        leaves(x), self.direction, strict=True
                    )
                ]
                values[offset] = self.function.values(points)
            shapes = {tuple(value.shape) for value in values.values()}
            if len(shapes) > 1:
                raise ValueError(f"`f` returned several shapes: {sorted(shapes)}")
            return sum(
                weight * (values[offset] - values[-offset])
                for offset, weight in scheme.rises
                if offset > 0
            )


def hvp(
    f: Callable[[Any], Any],
    x: ArrayT,
    v: ArrayT,
    /,
    *,
    grad: Callable[[Any], Any] | None = None,
    dtype: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
) -> ArrayT:
    """Numerical Hessian-vector product, without the Hessian.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to a scalar.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to differentiate.
    v : array like ``x``, nested as ``x`` is
        The vector.
    grad : callable, optional
        The gradient of ``f``, nested and shaped like ``x``: then the product costs 4
        calls of it, and one at ``x``.
    dtype, vectorized, max_bytes, workers, progress
        As in `gradient`.

    Returns
    -------
    array, or nesting like ``x``
        ``H v`` in the shape of ``x``.

    Raises
    ------
    TypeError
        If ``x``, ``v`` or a result is no array of real numbers.
    ValueError
        If ``v`` has not the structure and shapes of ``x``, or a result has the wrong
        shape.

    Notes
    -----
    From ``f`` alone it is the gradient of the derivative along ``v``, both of accuracy
    4 with steps near ``eps**(1/6)``: the cost of 4 gradients.

    Examples
    --------
    >>> import numpy as np
    >>> x, v = np.array([1.0, 3.0]), np.array([1.0, 1.0])
    >>> hvp(lambda x: x[0] ** 2 * x[1], x, v, grad=lambda x: np.stack(
    ...     [2 * x[0] * x[1], x[0] ** 2]))
    array([8., 2.])
    """
    execution = Execution(vectorized, max_bytes, workers, progress)
    if grad is not None:
        return _along_gradient(grad, x, v, Plan(dtype=dtype), execution)
    plan = Plan(dtype=dtype)
    function, given = prepare(f, x, plan, execution)
    xp = function.xp
    call, length = line(function, v, own=False)
    scheme = stencil("central", 4, 2)
    relative = scheme.relative_step(float_info(xp, function.leaves[0].dtype).eps)
    steps = rebuild(x, [floored_size(xp, leaf) * relative for leaf in function.leaves])
    plan = replace(plan, step=steps)
    slope = replace(function, call=_Directional(function, call.direction, relative))
    names = tuple(name for name, _ in given)
    each = sum(1 for offset in stencil("central", 4).offsets if offset)
    with runner(execution, function.leaves[0], each) as run_by:
        # f(x) itself, as the caller would: the checks of losses happen here.
        require_scalar(function.at_base())
        run_by.meter.once()
        run = Run(slope, names, plan, run_by)
        base = run.at_base()
        parts = [
            run.parts(i, base, entries, functools.partial(Whole, base))
            for i in range(len(given))
        ]
        with quiet():
            scaled = [
                Parts(part.value / cast(xp, relative * length, part.value.dtype))
                for part in parts
            ]
        products = [
            run.finish(leaf, part, tuple(leaf.shape)).value
            for (_, leaf), part in zip(given, scaled, strict=True)
        ]
    return rebuild(x, products)


def _along_gradient(
    grad: Callable[[Any], Any], x: Any, v: Any, plan: Plan, execution: Execution
) -> Any:
    function, given = prepare(grad, x, plan, execution)
    xp = function.xp
    shapes = [tuple(leaf.shape) for _, leaf in given]
    joined = _Joined(
        grad, function.xp, function.leaves[0], tuple(shapes), function.batched
    )
    function = replace(function, call=joined)
    widest = max(function.leaves, key=lambda leaf: float_info(xp, leaf.dtype).size)
    parts, _ = along(function, v, plan, execution, widest)
    products, start = [], 0
    for (_, leaf), shape in zip(given, shapes, strict=True):
        stop = start + math.prod(shape)
        product = xp.reshape(parts.value[start:stop], shape)
        products.append(cast(xp, product, result_dtype(xp, leaf, plan.dtype)))
        start = stop
    return rebuild(x, products)


@dataclass(frozen=True)
class _Joined(Portable):
    """A gradient nested like ``x`` as one vector (in a batch: one row a point)."""

    call: Callable[[Any], Any]
    xp: Any
    like: Array
    shapes: tuple[tuple[int, ...], ...]
    batched: bool

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.like

    def __call__(self, x: Any) -> Array:
        """The gradients of all arrays, one after the other."""
        found = leaves(self.call(x), "the result of grad")
        for name, gradient in found:
            require_array(name, gradient)
        lead = tuple(leaves(x)[0][1].shape[:1]) if self.batched else ()
        shapes = [tuple(gradient.shape) for _, gradient in found]
        wanted = [(*lead, *shape) for shape in self.shapes]
        if shapes != wanted:
            raise ValueError(
                f"`grad` returned shapes {shapes} where x has {wanted}: a gradient is "
                "nested and shaped like x"
            )
        flat = [self.xp.reshape(gradient, (*lead, -1)) for _, gradient in found]
        return self.xp.concat(flat, axis=-1)
