"""The Jacobian, whole or sparse, and its products with vectors."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xgrad._array import (
    Array,
    Portable,
    as_float,
    cast,
    common_namespace,
    from_host,
    is_complex,
    quiet,
    require_array,
    require_same_shape,
    require_sparse,
    sparse_matrix,
)
from xgrad._coloring import Coloring
from xgrad._engine import Estimate, Plan, Run, prepare
from xgrad._evaluate import Execution, Function, Progress, Vectorized, Workers, runner
from xgrad._gradient import fitting_coloring
from xgrad._points import Points, colors, entries, everything, floored_size, own_size
from xgrad._readout import Entries, Whole
from xgrad._schemes import Parts
from xgrad._stencil import Method
from xgrad._tree import leaves, rebuild


def jacobian(
    f: Callable[[Any], Any],
    x: Any,
    /,
    *,
    sparsity: Any = None,
    method: Method = "central",
    accuracy: int | None = None,
    step: Any = None,
    dtype: Any = None,
    bounds: Any = None,
    vectorized: Vectorized = "auto",
    max_bytes: int | None = None,
    workers: Workers = None,
    progress: Progress = False,
    full_output: bool = False,
) -> Any:
    """Numerical Jacobian: the derivative of each entry of the result by each of ``x``.

    Parameters
    ----------
    f : callable
        Maps an array like ``x`` to an array of any shape.
    x : array of real numbers, or nested dict, list or tuple of arrays
        Where to differentiate.
    sparsity : array of booleans, sparse matrix or Coloring, optional
        Which entries of the result depend on which of ``x``, both in C order: shape
        ``(result entries, x entries)``. Columns that share no row are evaluated
        together, each with its own step, and the result is sparse. A pattern that is
        too small gives wrong results. `color_columns` prepares one for many calls.
        NumPy (with scipy, the extra ``sparse``) and CuPy only.
    method, accuracy, step, dtype, bounds, vectorized, max_bytes, workers, progress, \
full_output
        As in `gradient`.

    Returns
    -------
    array, nesting like ``x``, or sparse matrix
        Shape ``(*f(x).shape, *x.shape)``. With ``sparsity=`` a ``scipy.sparse``
        ``csr_array`` or a ``cupyx`` ``csr_matrix``, ``(result entries, x entries)``.
        With ``full_output=True`` also an `Estimate`; of a sparse Jacobian its arrays
        are aligned with the ``data`` of the matrix.

    Raises
    ------
    TypeError
        If ``x`` or the result of ``f`` is no array of real numbers, or sparse matrices
        are not to be had for its library.
    ValueError
        If ``sparsity`` has another shape, or an option is not offered.

    Notes
    -----
    Costs ``accuracy`` evaluations an entry of ``x``, or a colour, and one at ``x``.
    Sources as in `gradient` and `color_columns`.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: np.stack([x[0] * x[1], x[0]]), np.array([3.0, 4.0]))
    array([[4., 3.],
           [1., 0.]])
    """
    plan = Plan(method, accuracy, 1, step, dtype, bounds, full_output)
    execution = Execution(vectorized, max_bytes, workers, progress)
    function, given = prepare(f, x, plan, execution)
    if sparsity is not None:
        require_sparse(function.xp)
    with runner(execution, function.leaves[0]) as run_by:
        run = Run(function, tuple(name for name, _ in given), plan, run_by)
        base = run.at_base()
        if sparsity is None:
            parts = [dense(run, i, base, leaf) for i, (_, leaf) in enumerate(given)]
            value = rebuild(x, [part.value for part in parts])
        else:
            coloring = fitting_coloring(sparsity, x, base)
            parts = [_sparse(run, base, coloring, given[0][1])]
            value = sparse_matrix(
                function.xp,
                parts[0].value,
                coloring.columns,
                coloring.pointers,
                coloring.shape,
            )
        return (value, run.estimate(x, parts)) if full_output else value


def dense(run: Run, leaf: int, base: Array, given: Array) -> Parts:
    """Derivatives by one array, ``(*f(x).shape, *x.shape)``."""
    parts = run.parts(leaf, base, entries, functools.partial(Whole, base))
    return run.finish(given, parts, (*base.shape, *given.shape))


def _sparse(run: Run, base: Array, coloring: Coloring, given: Array) -> Parts:
    labels = coloring.labels(run.xp, base)

    def columns(points: Points) -> Points:
        return colors(points, labels, coloring.num_colors)

    parts = run.parts(
        0, base, columns, lambda eps, noise: Entries(base, eps, coloring, noise)
    )
    return run.finish(given, parts, (len(coloring.rows),))


# Along a direction


@dataclass(frozen=True)
class Line(Portable):
    """A function of a number ``t``: what ``call`` gives at ``x + t * direction``.

    With ``batched``, ``t`` has an axis of points, and so has what ``call`` gets.
    """

    call: Callable[[Any], Any]
    xp: Any
    tree: Any
    x: tuple[Array, ...]
    direction: tuple[Array, ...]
    batched: bool

    @property
    def anchor(self) -> Array:
        """The array that tells the namespace where this has been sent elsewhere."""
        return self.x[0]

    def __call__(self, t: Array) -> Any:
        """The value of ``call`` there."""
        xp = self.xp

        def moved(x: Array, direction: Array) -> Array:
            along = xp.reshape(t, (-1, *(1,) * x.ndim)) if self.batched else t
            if not is_complex(xp, t):
                along = cast(xp, along, x.dtype)
            return x + along * direction

        points = map(moved, self.x, self.direction)
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
    workers: Workers = None,
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
    method, accuracy, dtype, vectorized, workers, full_output
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
    execution = Execution(vectorized, None, workers)
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
    path = Function(call, xp, None, (start,), function.batched)
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
